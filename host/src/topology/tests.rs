//! The formats of a topology, with goldens beside the contract of the corpus; the tables are in `contract::tests`.
//! `BLESS=1` writes the goldens anew.

use super::definitions::definitions;
use super::derive;
use super::overview::Overview;
use super::picture::Picture;
use crate::contract::tests::{corpus, golden, parse};

#[test]
fn a_topology_in_every_format() {
    let path = corpus("valid").join("ways.yaml");
    let contract = parse(&path).unwrap();
    let topology = derive(&contract);
    let overview = Overview::new(&contract, &topology);
    let json = serde_json::to_string_pretty(&overview).unwrap() + "\n";
    let definitions = definitions(&topology, "shop");
    let left_out = definitions.left_out.join("\n");
    let mut differences = Vec::new();
    for (format, text) in [
        ("topology.json", json),
        ("definitions", format!("{:#}\n{left_out}\n", definitions.json)),
        ("mermaid", Picture::new(&overview).mermaid()),
        ("dot", Picture::new(&overview).dot(&contract.name)),
    ] {
        golden(&path.with_extension(format), &text, &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}
