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

/// Takes a policy and the cases beside it into the program.
macro_rules! shipped {
    ($id:literal) => {
        Shipped {
            id: $id,
            file: concat!($id, ".toml"),
            text: include_str!(concat!("../../policies/", $id, ".toml")),
            cases: include_str!(concat!("../../policies/", $id, ".cases.json")),
        }
    };
}

const SHIPPED: &[Shipped] = &[
    shipped!("agcom-347-18"),
    shipped!("altroconsumo-30"),
    shipped!("arera-2025"),
    shipped!("att-guarantee"),
    shipped!("aws-ec2-region"),
    shipped!("aws-s3"),
    shipped!("eu-261"),
    shipped!("github-sla"),
    shipped!("google-workspace"),
    shipped!("libero-2023"),
    shipped!("ofcom"),
    shipped!("tkg-58"),
];

/// Gives the shipped policies, sorted by id.
#[must_use]
pub fn shipped() -> &'static [Shipped] {
    SHIPPED
}
