//! stub
use serde_json::Value;
#[derive(Debug)]
pub struct Comparison {
    pub conflicts: Vec<Difference>,
    pub undecided: Vec<Difference>,
}
#[derive(Debug)]
pub struct Difference {
    pub path: String,
    pub says: String,
}
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    pub writer: &'a str,
    pub reader: &'a str,
}
pub fn compare(_w: &Value, _r: &Value, _x: Roles<'_>) -> Comparison {
    Comparison { conflicts: vec![], undecided: vec![] }
}
