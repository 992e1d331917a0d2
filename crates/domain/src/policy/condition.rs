//! Eligibility conditions: yes-or-no CEL expressions over what the policy sees, bounded before they ever run.
//!
//! The library parses them; their types are checked when the file is read, so that an answer never fails.
//! They decide who is eligible and never how much: amounts are typed formulas.

#[cfg(test)]
mod interpreter;
mod typed;

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue};
use cel::parser::Parser;

use self::typed::Question;
use super::reader::Section;

/// The longest source text of a condition, in bytes.
pub const SOURCE_LIMIT: usize = 500;
/// The most nodes of a condition.
pub const NODE_LIMIT: usize = 100;
/// The deepest nesting of a condition.
pub const DEPTH_LIMIT: usize = 16;

/// What a condition can name. Everything else is refused when the file is read.
pub(crate) const FIELDS: &[(&str, &[&str])] = &[
    ("subscription", &["service", "plan", "segment", "class", "in_arrears"]),
    ("outage", &["cause", "declared"]),
    ("claim", &["count", "answered"]),
];

/// The operators and functions that a condition can call; none of them can loop.
const CALLS: &[&str] = &[
    "_&&_",
    "_||_",
    "!_",
    "_==_",
    "_!=_",
    "_<_",
    "_<=_",
    "_>_",
    "_>=_",
    "@in",
    "_?_:_",
    "startsWith",
    "endsWith",
    "contains",
    "size",
];

/// A condition that holds or excludes.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    /// Its id in the trace.
    pub id: String,
    /// The expression as written.
    pub when: String,
    /// The reason where it does not hold, in UPPER_SNAKE.
    pub otherwise: String,
    /// What it means, in words.
    pub text: String,
    /// Where it comes from.
    pub source: String,
    program: IdedExpr,
    question: Question,
}

/// What a condition may look at.
pub(crate) struct Facts<'a> {
    pub service: &'a str,
    pub plan: &'a str,
    pub segment: &'static str,
    pub class: &'static str,
    pub in_arrears: bool,
    pub cause: &'static str,
    pub declared: bool,
    pub claims: usize,
    pub answered_claims: usize,
}

impl Condition {
    pub(crate) fn read(section: Section<'_, '_>) -> Option<Condition> {
        let id = section.text("id", "\"paying-customers\"").map(str::to_owned);
        let when = section.text("when", "'subscription.plan != \"free\"'").map(str::to_owned);
        let otherwise = section.text("otherwise", "\"OTHER_PLAN\"").map(str::to_owned);
        let text = section.text("text", "\"what it means\"").map(str::to_owned);
        let source = section.text("source", "\"where it comes from\"").map(str::to_owned);
        if let Some(reason) = &otherwise
            && !reason.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        {
            section.fault("otherwise", format!("{reason:?} is no reason"), "write UPPER_SNAKE");
        }
        let program = when.as_deref().and_then(|when| match compile(when) {
            Ok(program) => Some(program),
            Err((what, fix)) => {
                section.fault("when", what, fix);
                None
            }
        });
        section.finish();
        let (program, question) = program?;
        Some(Condition {
            id: id?,
            when: when?,
            otherwise: otherwise?,
            text: text?,
            source: source?,
            program,
            question,
        })
    }

    /// Says whether the condition names a field of the subscription, outage or claim.
    pub(crate) fn mentions(&self, variable: &str, field: &str) -> bool {
        mentions(&self.program, variable, field)
    }

    /// Says whether the condition writes a text that is, or is a part of, a name.
    pub(crate) fn names(&self, name: &str) -> bool {
        writes(&self.program, &|text| !text.is_empty() && name.contains(text))
    }

    /// Answers yes or no.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        self.question.holds(facts)
    }
}

type Fault = (String, String);

/// Parses and bounds a condition, and checks that it answers yes or no.
fn compile(source: &str) -> Result<(IdedExpr, Question), Fault> {
    if source.len() > SOURCE_LIMIT {
        let what = format!("the condition has {} bytes", source.len());
        return Err((what, format!("write at most {SOURCE_LIMIT} bytes")));
    }
    let parser = Parser::default().max_recursion_depth(64).error_recovery_limit(1);
    let program = parser.parse(source).map_err(|errors| {
        let first = errors.errors.first().map_or_else(String::new, ToString::to_string);
        let first = first.lines().next().unwrap_or("").to_owned();
        (format!("the condition is not CEL: {first}"), "correct the expression".to_owned())
    })?;
    let mut nodes = 0;
    bound(&program, 1, &mut nodes)?;
    let question = typed::check(&program)?;
    Ok((program, question))
}

fn bound(node: &IdedExpr, depth: usize, nodes: &mut usize) -> Result<(), Fault> {
    *nodes += 1;
    if depth > DEPTH_LIMIT || *nodes > NODE_LIMIT {
        let what = format!("the condition has over {NODE_LIMIT} nodes or {DEPTH_LIMIT} levels");
        return Err((what, "split it into several conditions".to_owned()));
    }
    let refuse =
        |what: String| Err((what, "use comparisons of fields with values only".to_owned()));
    match &node.expr {
        Expr::Literal(LiteralValue::Double(_)) => {
            refuse("the condition has a decimal number".to_owned())
        }
        Expr::Literal(_) => Ok(()),
        Expr::Select(select) => {
            let Expr::Ident(variable) = &select.operand.expr else {
                return refuse(format!("{:?} is selected from an expression", select.field));
            };
            declared(variable, &select.field)
        }
        Expr::List(list) => {
            list.elements.iter().try_for_each(|element| bound(element, depth + 1, nodes))
        }
        Expr::Call(call) => {
            if !CALLS.contains(&call.func_name.as_str()) {
                return refuse(format!("the condition calls {:?}", call.func_name));
            }
            let target = call.target.iter().map(|target| &**target);
            target.chain(&call.args).try_for_each(|part| bound(part, depth + 1, nodes))
        }
        Expr::Ident(name) => refuse(format!("{name:?} stands alone in the condition")),
        Expr::Comprehension(_) => refuse("the condition loops".to_owned()),
        Expr::Unspecified | Expr::Map(_) | Expr::Struct(_) => {
            refuse("the condition builds a map or a message".to_owned())
        }
    }
}

fn declared(variable: &str, field: &str) -> Result<(), Fault> {
    let Some((_, fields)) = FIELDS.iter().find(|(name, _)| *name == variable) else {
        let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        return Err((format!("{variable:?} is not declared"), format!("use {}", known.join(", "))));
    };
    if fields.contains(&field) {
        return Ok(());
    }
    let fix = match super::suggest::nearest(field, fields) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("use {}", fields.join(", ")),
    };
    Err((format!("{variable:?} has no field {field:?}"), fix))
}

fn mentions(node: &IdedExpr, variable: &str, field: &str) -> bool {
    match &node.expr {
        Expr::Select(select) => {
            let of_variable = matches!(&select.operand.expr, Expr::Ident(name) if name == variable);
            of_variable && select.field == field
        }
        Expr::List(list) => list.elements.iter().any(|element| mentions(element, variable, field)),
        Expr::Call(call) => {
            let mut parts = call.target.iter().map(|target| &**target).chain(&call.args);
            parts.any(|part| mentions(part, variable, field))
        }
        Expr::Literal(_)
        | Expr::Ident(_)
        | Expr::Comprehension(_)
        | Expr::Unspecified
        | Expr::Map(_)
        | Expr::Struct(_) => false,
    }
}

fn writes(node: &IdedExpr, such: &impl Fn(&str) -> bool) -> bool {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => such(text.inner()),
        Expr::List(list) => list.elements.iter().any(|element| writes(element, such)),
        Expr::Call(call) => {
            let mut parts = call.target.iter().map(|target| &**target).chain(&call.args);
            parts.any(|part| writes(part, such))
        }
        Expr::Select(_)
        | Expr::Literal(_)
        | Expr::Ident(_)
        | Expr::Comprehension(_)
        | Expr::Unspecified
        | Expr::Map(_)
        | Expr::Struct(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: Result<(), &str>) {
        match (compile(source), expected) {
            (Ok(_), Ok(())) => {}
            (Err((what, _)), Err(part)) => assert!(what.contains(part), "{what}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn only_bounded_yes_or_no_questions_are_taken() {
        check("subscription.plan in [\"plus-5gb\"] && !outage.declared", Ok(()));
        check("claim.count > 0 || subscription.service.startsWith(\"libero\")", Ok(()));
        check("subscription.plan", Err("yes or no"));
        check("subscription.plam == \"x\"", Err("no field \"plam\""));
        check("customer.plan == \"x\"", Err("not declared"));
        check("[1, 2].all(x, x > 0)", Err("loops"));
        check("{\"a\": 1}.a == 1", Err("selected from an expression"));
        check("claim.count > 0.5", Err("decimal"));
        check("timestamp(\"2023-01-01T00:00:00Z\") == 1", Err("calls \"timestamp\""));
        check("claim.count >", Err("not CEL"));
        check(&format!("claim.count in [{}]", vec!["1"; 120].join(",")), Err("over 100 nodes"));
        check(&format!("{}true", "!".repeat(499)), Err(""));
        check(&"a".repeat(501), Err("501 bytes"));
    }

    #[test]
    fn types_are_checked_when_the_file_is_read() {
        check("claim.count == \"one\"", Err("cannot be asked of a number and a text"));
        check("false && claim.count > \"x\"", Err("cannot be asked of a number and a text"));
        check(
            "subscription.plan in [1, 2]",
            Err("cannot be asked of a text and a list of numbers"),
        );
        check("subscription.plan in [\"a\", 1]", Err("a list holds texts and numbers"));
        check("!subscription.plan", Err("is asked of a text"));
        check("subscription.plan && true", Err("is asked of a text"));
        check("size(claim.count) == 1", Err("no text"));
        check("outage.declared ? claim.count : 2", Err("is asked of a number"));
        check("null == null", Err("literal"));
        check("subscription.plan.size() > 3", Ok(()));
        check("(outage.declared ? claim.count > 1 : claim.count < 9) != outage.declared", Ok(()));
    }
}
