//! The library's interpreter gives the same answers as the typed questions.

use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{Context, Value};
use proptest::prelude::*;

use super::*;

fn run(program: &IdedExpr, facts: &Facts<'_>) -> Result<bool, String> {
    let mut context = Context::default();
    let text = |value: &str| Value::from(value.to_owned());
    let count = |value: usize| Value::from(i64::try_from(value).unwrap_or(i64::MAX));
    let variables = [
        (
            "subscription",
            variable([
                ("service", text(facts.service)),
                ("plan", text(facts.plan)),
                ("segment", text(facts.segment)),
                ("class", text(facts.class)),
                ("in_arrears", Value::from(facts.in_arrears)),
            ]),
        ),
        (
            "outage",
            variable([("cause", text(facts.cause)), ("declared", Value::from(facts.declared))]),
        ),
        (
            "claim",
            variable([("count", count(facts.claims)), ("answered", count(facts.answered_claims))]),
        ),
    ];
    for (name, value) in variables {
        context.add_variable_from_value(name, value);
    }
    match Value::resolve(program, &context) {
        Ok(Value::Bool(answer)) => Ok(answer),
        Ok(other) => Err(format!("it gave a {:?}", other.type_of())),
        Err(error) => Err(error.to_string()),
    }
}

/// Makes a variable of its fields. The interpreter only looks fields up by name, so the map's order shows nowhere.
fn variable<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter().map(|(name, value)| (Key::from(name), value));
    Value::Map(Map { map: Arc::new(fields.collect()) })
}

fn text() -> impl Strategy<Value = String> {
    let field =
        prop_oneof![Just("subscription.plan"), Just("subscription.service"), Just("outage.cause")];
    prop_oneof![field.prop_map(str::to_owned), "[ab]{0,2}".prop_map(|text| format!("\"{text}\""))]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("claim.count".to_owned()),
        Just("claim.answered".to_owned()),
        (0..4_u8).prop_map(|number| number.to_string()),
        text().prop_map(|text| format!("size({text})")),
    ]
}

fn question() -> impl Strategy<Value = String> {
    let texts = prop_oneof![Just("=="), Just("!=")];
    let numbers = prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
    let of_text = prop_oneof![Just("startsWith"), Just("endsWith"), Just("contains")];
    let leaf = prop_oneof![
        Just("outage.declared".to_owned()),
        Just("subscription.in_arrears".to_owned()),
        Just("true".to_owned()),
        (text(), texts, text()).prop_map(|(left, test, right)| format!("{left} {test} {right}")),
        (number(), numbers, number())
            .prop_map(|(left, test, right)| format!("{left} {test} {right}")),
        (text(), of_text, text()).prop_map(|(left, test, right)| format!("{left}.{test}({right})")),
        (text(), text(), text())
            .prop_map(|(one, left, right)| format!("{one} in [{left}, {right}]")),
        (number(), number(), number())
            .prop_map(|(one, left, right)| format!("{one} in [{left}, {right}]")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("({left}) && ({right})")),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("({left}) || ({right})")),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("({left}) == ({right})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(asked, yes, no)| format!("({asked}) ? ({yes}) : ({no})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees(
        source in question(), plan in "[ab]{0,2}", service in "[ab]{0,2}",
        declared in any::<bool>(), in_arrears in any::<bool>(), claims in 0_usize..4, answered in 0_usize..4
    ) {
        let facts = Facts {
            service: &service, plan: &plan, segment: "consumer", class: "principal", in_arrears,
            cause: "fault", declared, claims, answered_claims: answered,
        };
        // What is over the bounds is refused, and asked of nobody.
        if let Ok((program, question)) = compile(&source) {
            prop_assert_eq!(Ok(question.holds(&facts)), run(&program, &facts), "{}", source);
        }
    }
}
