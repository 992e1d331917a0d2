//! The policy files that ship with the program.

/// A shipped policy file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shipped {
    /// The policy's id.
    pub id: &'static str,
    /// The file's name.
    pub file: &'static str,
    /// The file's text.
    pub text: &'static str,
    /// The text of the case file beside it.
    pub cases: &'static str,
}

const SHIPPED: &[Shipped] = &[
    Shipped {
        id: "agcom-347-18",
        file: "agcom-347-18.toml",
        text: include_str!("../../policies/agcom-347-18.toml"),
        cases: include_str!("../../policies/agcom-347-18.cases.json"),
    },
    Shipped {
        id: "libero-2023",
        file: "libero-2023.toml",
        text: include_str!("../../policies/libero-2023.toml"),
        cases: include_str!("../../policies/libero-2023.cases.json"),
    },
];

/// Gives the shipped policies, sorted by id.
#[must_use]
pub fn shipped() -> &'static [Shipped] {
    SHIPPED
}
