//! A condition with its types checked: what the library parsed, as questions that always have an answer.
//!
//! The library's interpreter finds a wrong type only when it comes to it, and builds a map of variables for each answer.
//! Here a type that does not fit is refused when the file is read, and an answer takes no memory. A test holds both to
//! the same answers.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue};

use super::{Facts, Fault, declared};

/// A yes-or-no question.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Question {
    Literal(bool),
    InArrears,
    Declared,
    Not(Box<Question>),
    Both(Box<[Question; 2]>),
    Either(Box<[Question; 2]>),
    Choice(Box<[Question; 3]>),
    SameAnswer(Box<[Question; 2]>),
    Texts(TextTest, Text, Text),
    TextIn(Text, Vec<Text>),
    Numbers(NumberTest, Number, Number),
    NumberIn(Number, Vec<Number>),
}

/// A text.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Text {
    Literal(String),
    Service,
    Plan,
    Segment,
    Class,
    Cause,
}

/// A whole number.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Number {
    Literal(i64),
    Claims,
    AnsweredClaims,
    Size(Text),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum TextTest {
    Same,
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum NumberTest {
    Same,
    Less,
    LessOrSame,
}

/// What an expression is, with its type.
enum Typed {
    Question(Question),
    Text(Text),
    Number(Number),
    Texts(Vec<Text>),
    Numbers(Vec<Number>),
}

impl Typed {
    fn name(&self) -> &'static str {
        match self {
            Typed::Question(_) => "a yes-or-no question",
            Typed::Text(_) => "a text",
            Typed::Number(_) => "a number",
            Typed::Texts(_) => "a list of texts",
            Typed::Numbers(_) => "a list of numbers",
        }
    }
}

/// Checks the types of a condition.
pub(super) fn check(expression: &IdedExpr) -> Result<Question, Fault> {
    let found = typed(expression)?;
    let name = found.name();
    let Typed::Question(question) = found else {
        return Err(fault(format!("the condition does not answer yes or no: it is {name}")));
    };
    Ok(question)
}

fn fault(what: String) -> Fault {
    (what, "compare with ==, !=, in, <, >".to_owned())
}

fn typed(expression: &IdedExpr) -> Result<Typed, Fault> {
    match &expression.expr {
        Expr::Literal(literal) => match literal {
            LiteralValue::Boolean(value) => Ok(Typed::Question(Question::Literal(*value.inner()))),
            LiteralValue::Int(value) => Ok(Typed::Number(Number::Literal(*value.inner()))),
            LiteralValue::String(value) => Ok(Typed::Text(Text::Literal(value.inner().to_owned()))),
            LiteralValue::Double(_) => Err(fault("the condition has a decimal number".to_owned())),
            LiteralValue::Bytes(_) | LiteralValue::Null | LiteralValue::UInt(_) => Err(fault(
                "the condition has a literal that nothing here is compared with".to_owned(),
            )),
        },
        Expr::Select(select) => {
            let Expr::Ident(variable) = &select.operand.expr else {
                let what = format!("{:?} is selected from an expression", select.field);
                return Err(fault(what));
            };
            declared(variable, &select.field)?;
            field(variable, &select.field)
        }
        Expr::List(list) => elements(&list.elements),
        Expr::Call(call) => self::call(call),
        Expr::Ident(name) => Err(fault(format!("{name:?} stands alone in the condition"))),
        Expr::Comprehension(_) => Err(fault("the condition loops".to_owned())),
        Expr::Unspecified | Expr::Map(_) | Expr::Struct(_) => {
            Err(fault("the condition builds a map or a message".to_owned()))
        }
    }
}

fn field(variable: &str, name: &str) -> Result<Typed, Fault> {
    let typed = match (variable, name) {
        ("subscription", "service") => Typed::Text(Text::Service),
        ("subscription", "plan") => Typed::Text(Text::Plan),
        ("subscription", "segment") => Typed::Text(Text::Segment),
        ("subscription", "class") => Typed::Text(Text::Class),
        ("subscription", "in_arrears") => Typed::Question(Question::InArrears),
        ("outage", "cause") => Typed::Text(Text::Cause),
        ("outage", "declared") => Typed::Question(Question::Declared),
        ("claim", "count") => Typed::Number(Number::Claims),
        ("claim", "answered") => Typed::Number(Number::AnsweredClaims),
        (_, _) => return Err(fault(format!("{variable:?} has no field {name:?}"))),
    };
    Ok(typed)
}

fn elements(elements: &[IdedExpr]) -> Result<Typed, Fault> {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for element in elements {
        match typed(element)? {
            Typed::Text(text) => texts.push(text),
            Typed::Number(number) => numbers.push(number),
            other @ (Typed::Question(_) | Typed::Texts(_) | Typed::Numbers(_)) => {
                return Err(fault(format!("a list holds {}", other.name())));
            }
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, false) => Err(fault("a list holds texts and numbers".to_owned())),
        (true, false) => Ok(Typed::Numbers(numbers)),
        (false, true) => Ok(Typed::Texts(texts)),
        (true, true) => Err(fault("a list is empty, so nothing is in it".to_owned())),
    }
}

fn call(call: &CallExpr) -> Result<Typed, Fault> {
    let parts = call.target.iter().map(|target| &**target).chain(&call.args);
    let parts = parts.map(typed).collect::<Result<Vec<Typed>, Fault>>()?;
    let name = call.func_name.as_str();
    let question = match (name, parts) {
        ("size", parts) => return size(parts),
        ("!_", parts) => not(one(name, parts)?),
        ("_&&_", parts) => Question::Both(Box::new(questions(name, parts)?)),
        ("_||_", parts) => Question::Either(Box::new(questions(name, parts)?)),
        ("_?_:_", parts) => Question::Choice(Box::new(questions(name, parts)?)),
        ("@in", parts) => within(parts)?,
        (_, parts) => compare(name, parts)?,
    };
    Ok(Typed::Question(question))
}

fn compare(name: &str, parts: Vec<Typed>) -> Result<Question, Fault> {
    let found: Vec<&str> = parts.iter().map(Typed::name).collect();
    let found = found.join(" and ");
    let refuse = || Err(fault(format!("{name:?} cannot be asked of {found}")));
    let Ok([left, right]) = <[Typed; 2]>::try_from(parts) else { return refuse() };
    let asked = match (name, left, right) {
        ("_==_" | "_!=_", Typed::Question(left), Typed::Question(right)) => {
            Question::SameAnswer(Box::new([left, right]))
        }
        ("_==_" | "_!=_", Typed::Text(left), Typed::Text(right)) => {
            Question::Texts(TextTest::Same, left, right)
        }
        ("_==_" | "_!=_", Typed::Number(left), Typed::Number(right)) => {
            Question::Numbers(NumberTest::Same, left, right)
        }
        ("_<_" | "_>=_", Typed::Number(left), Typed::Number(right)) => {
            Question::Numbers(NumberTest::Less, left, right)
        }
        ("_<=_" | "_>_", Typed::Number(left), Typed::Number(right)) => {
            Question::Numbers(NumberTest::LessOrSame, left, right)
        }
        ("startsWith", Typed::Text(left), Typed::Text(right)) => {
            Question::Texts(TextTest::StartsWith, left, right)
        }
        ("endsWith", Typed::Text(left), Typed::Text(right)) => {
            Question::Texts(TextTest::EndsWith, left, right)
        }
        ("contains", Typed::Text(left), Typed::Text(right)) => {
            Question::Texts(TextTest::Contains, left, right)
        }
        (_, _, _) => return refuse(),
    };
    Ok(if matches!(name, "_!=_" | "_>=_" | "_>_") { not(asked) } else { asked })
}

fn within(parts: Vec<Typed>) -> Result<Question, Fault> {
    let found: Vec<&str> = parts.iter().map(Typed::name).collect();
    let what = format!("\"in\" cannot be asked of {}", found.join(" and "));
    match <[Typed; 2]>::try_from(parts) {
        Ok([Typed::Text(text), Typed::Texts(texts)]) => Ok(Question::TextIn(text, texts)),
        Ok([Typed::Number(number), Typed::Numbers(numbers)]) => {
            Ok(Question::NumberIn(number, numbers))
        }
        Ok(_) | Err(_) => Err(fault(what)),
    }
}

fn size(parts: Vec<Typed>) -> Result<Typed, Fault> {
    match <[Typed; 1]>::try_from(parts) {
        Ok([Typed::Text(text)]) => Ok(Typed::Number(Number::Size(text))),
        Ok(_) | Err(_) => Err(fault("\"size\" is asked of something that is no text".to_owned())),
    }
}

fn not(question: Question) -> Question {
    Question::Not(Box::new(question))
}

fn one(name: &str, parts: Vec<Typed>) -> Result<Question, Fault> {
    questions(name, parts).map(|[question]| question)
}

fn questions<const N: usize>(name: &str, parts: Vec<Typed>) -> Result<[Question; N], Fault> {
    let mut questions = Vec::with_capacity(N);
    for part in parts {
        let found = part.name();
        let Typed::Question(question) = part else {
            return Err(fault(format!("{name:?} is asked of {found}")));
        };
        questions.push(question);
    }
    questions.try_into().map_err(|_| fault(format!("{name:?} has too many or too few parts")))
}

impl Question {
    /// Answers yes or no.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Question::Literal(answer) => *answer,
            Question::InArrears => facts.in_arrears,
            Question::Declared => facts.declared,
            Question::Not(question) => !question.holds(facts),
            Question::Both(questions) => questions.iter().all(|one| one.holds(facts)),
            Question::Either(questions) => questions.iter().any(|one| one.holds(facts)),
            Question::Choice(questions) => {
                let [asked, yes, no] = &**questions;
                if asked.holds(facts) { yes.holds(facts) } else { no.holds(facts) }
            }
            Question::SameAnswer(questions) => {
                let [left, right] = &**questions;
                left.holds(facts) == right.holds(facts)
            }
            Question::Texts(test, left, right) => test.holds(left.read(facts), right.read(facts)),
            Question::TextIn(text, texts) => {
                let wanted = text.read(facts);
                texts.iter().any(|text| text.read(facts) == wanted)
            }
            Question::Numbers(test, left, right) => test.holds(left.read(facts), right.read(facts)),
            Question::NumberIn(number, numbers) => {
                let wanted = number.read(facts);
                numbers.iter().any(|number| number.read(facts) == wanted)
            }
        }
    }
}

impl Text {
    fn read<'a>(&'a self, facts: &Facts<'a>) -> &'a str {
        match self {
            Text::Literal(text) => text,
            Text::Service => facts.service,
            Text::Plan => facts.plan,
            Text::Segment => facts.segment,
            Text::Class => facts.class,
            Text::Cause => facts.cause,
        }
    }
}

impl Number {
    fn read(&self, facts: &Facts<'_>) -> i64 {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        match self {
            Number::Literal(number) => *number,
            Number::Claims => whole(facts.claims),
            Number::AnsweredClaims => whole(facts.answered_claims),
            Number::Size(text) => whole(text.read(facts).chars().count()),
        }
    }
}

impl TextTest {
    fn holds(self, left: &str, right: &str) -> bool {
        match self {
            TextTest::Same => left == right,
            TextTest::StartsWith => left.starts_with(right),
            TextTest::EndsWith => left.ends_with(right),
            TextTest::Contains => left.contains(right),
        }
    }
}

impl NumberTest {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            NumberTest::Same => left == right,
            NumberTest::Less => left < right,
            NumberTest::LessOrSame => left <= right,
        }
    }
}
