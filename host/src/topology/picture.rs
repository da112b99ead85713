//! A topology as a picture, in the languages of Mermaid and of Graphviz.
//!
//! Names come from the contract and may hold anything, so none of them is ever an identifier: nodes are numbered, and
//! names are labels, in which everything is escaped that could end one.

use std::collections::BTreeMap;

use crate::text::{duration, span};

use super::overview::{Overview, WaitView};
use super::table::match_text;

/// Something with a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Publisher,
    Exchange,
    Queue,
    Wait,
    /// Holds dead letters, and nobody here works on it.
    Dead,
    Consumer,
    /// A queue that is no part of the contract.
    Outside,
}

#[derive(Debug)]
struct Node<'a> {
    kind: Kind,
    name: &'a str,
    /// A second line.
    note: String,
    /// Somebody else declares it.
    foreign: bool,
}

#[derive(Debug)]
struct Edge {
    from: usize,
    to: usize,
    label: String,
    line: Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// The way of messages.
    Way,
    /// Only where something fails, or cannot be routed.
    Aside,
    /// Such an aside, and back.
    Back,
}

/// Nodes and edges.
#[derive(Debug, Default)]
pub struct Picture<'a> {
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge>,
    exchanges: BTreeMap<&'a str, usize>,
    queues: BTreeMap<&'a str, usize>,
    publishers: BTreeMap<&'a str, usize>,
}

impl<'a> Picture<'a> {
    /// The picture of a topology.
    pub fn new(overview: &Overview<'a>) -> Self {
        let mut picture = Self::default();
        for publisher in &overview.publishers {
            let node = picture.node(Kind::Publisher, publisher.name, publisher.kind, false);
            picture.publishers.insert(publisher.name, node);
        }
        for exchange in &overview.exchanges {
            let node = picture.node(Kind::Exchange, exchange.name, exchange.kind, !exchange.declared);
            picture.exchanges.insert(exchange.name, node);
        }
        for queue in &overview.queues {
            let (kind, note) = match &queue.wait {
                Some(wait) => (Kind::Wait, format!("waits {}", wait_text(wait))),
                None if queue.consumer.is_none() && !queue.dead_letters_of.is_empty() => {
                    (Kind::Dead, "dead letters".to_owned())
                }
                None => (Kind::Queue, queue.kind.to_owned()),
            };
            let node = picture.node(kind, queue.name, &note, !queue.declared);
            picture.queues.insert(queue.name, node);
        }
        picture.ways(overview);
        picture.work(overview);
        picture.asides(overview);
        picture
    }

    fn node(&mut self, kind: Kind, name: &'a str, note: &str, foreign: bool) -> usize {
        self.nodes.push(Node { kind, name, note: note.to_owned(), foreign });
        self.nodes.len() - 1
    }

    fn edge(&mut self, from: Option<usize>, to: Option<usize>, label: impl Into<String>, line: Line) {
        if let (Some(from), Some(to)) = (from, to) {
            self.edges.push(Edge { from, to, label: label.into(), line });
        }
    }

    /// A queue by its name, as the default exchange finds it.
    fn queue(&mut self, name: &'a str) -> usize {
        if let Some(node) = self.queues.get(name) {
            return *node;
        }
        let node = self.node(Kind::Outside, name, "not in this contract", true);
        self.queues.insert(name, node);
        node
    }

    /// From publishers to queues.
    fn ways(&mut self, overview: &Overview<'a>) {
        for publisher in &overview.publishers {
            let from = self.publishers.get(publisher.name).copied();
            let key = publisher.pattern.or(publisher.routing_key).unwrap_or_default();
            let (to, label) = match publisher.exchange {
                "" => (Some(self.queue(key)), ""),
                exchange => (self.exchanges.get(exchange).copied(), key),
            };
            self.edge(from, to, label, Line::Way);
        }
        for binding in &overview.bindings {
            let from = self.exchanges.get(binding.exchange).copied();
            let to = match (binding.queue, binding.to_exchange) {
                (Some(queue), _) => self.queues.get(queue),
                (None, exchange) => exchange.and_then(|exchange| self.exchanges.get(exchange)),
            };
            let kind = overview.exchanges.iter().find(|exchange| exchange.name == binding.exchange);
            let label = match kind.map(|exchange| exchange.kind) {
                Some("headers") => match_text(binding.arguments),
                _ => binding.routing_key.to_owned(),
            };
            self.edge(from, to.copied(), label, Line::Way);
        }
        for exchange in &overview.exchanges {
            let alternate = exchange.alternate_exchange.and_then(|name| self.exchanges.get(name)).copied();
            self.edge(self.exchanges.get(exchange.name).copied(), alternate, "cannot route", Line::Aside);
        }
    }

    /// From queues to consumers, and to what they publish.
    fn work(&mut self, overview: &Overview<'a>) {
        for consumer in &overview.consumers {
            let node = self.node(Kind::Consumer, consumer.name, consumer.component, false);
            let how = if consumer.delivery == "at-most-once" { "at most once" } else { "" };
            self.edge(self.queues.get(consumer.queue).copied(), Some(node), how, Line::Way);
            for publisher in consumer.publishes {
                self.edge(Some(node), self.publishers.get(publisher.as_str()).copied(), "", Line::Way);
            }
        }
    }

    /// Where messages go that were not handled.
    fn asides(&mut self, overview: &Overview<'a>) {
        for queue in &overview.queues {
            let node = self.queues.get(queue.name).copied();
            if let Some(wait) = &queue.wait {
                let work = self.queues.get(wait.queue).copied();
                self.edge(work, node, "retry", Line::Back);
            }
            if let Some(dead_letter) = &queue.dead_letter {
                let key = dead_letter.routing_key.unwrap_or_default();
                let (to, label) = match dead_letter.exchange {
                    "" => (Some(self.queue(key)), ""),
                    exchange => (self.exchanges.get(exchange).copied(), key),
                };
                self.edge(node, to, format!("dead letters {label}").trim_end(), Line::Aside);
            }
        }
    }

    /// As a Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        let mut out = "flowchart LR\n".to_owned();
        for (index, node) in self.nodes.iter().enumerate() {
            let (open, close, class) = match node.kind {
                Kind::Publisher => ("([", "])", "publisher"),
                Kind::Exchange => ("{{", "}}", "exchange"),
                Kind::Queue => ("[(", ")]", "queue"),
                Kind::Wait => ("[/", "/]", "wait"),
                Kind::Dead => ("[(", ")]", "dead"),
                Kind::Consumer => ("[[", "]]", "consumer"),
                Kind::Outside => (">", "]", "outside"),
            };
            let class = if node.foreign { "outside" } else { class };
            let (name, note) = (in_mermaid(node.name), in_mermaid(&node.note));
            line(&mut out, &format!("  n{index}{open}\"{name}<br/>{note}\"{close}:::{class}"));
        }
        for edge in &self.edges {
            let arrow = match edge.line {
                Line::Way => "-->",
                Line::Aside => "-.->",
                Line::Back => "<-.->",
            };
            let label = in_mermaid(&edge.label);
            let label = if label.is_empty() { String::new() } else { format!("|\"{label}\"|") };
            line(&mut out, &format!("  n{} {arrow}{label} n{}", edge.from, edge.to));
        }
        for class in [
            "publisher fill:#eaf4ea,stroke:#4a7a4a,color:#111",
            "exchange fill:#fff3dc,stroke:#a97a1f,color:#111",
            "queue fill:#e3eefb,stroke:#3a6ea5,color:#111",
            "wait fill:#f5f5f5,stroke:#888,stroke-dasharray:4 3,color:#111",
            "dead fill:#fbe3e3,stroke:#b04040,color:#111",
            "consumer fill:#efe6fa,stroke:#6a4fa0,color:#111",
            "outside fill:#fff,stroke:#888,stroke-dasharray:2 2,color:#111",
        ] {
            line(&mut out, &format!("  classDef {class}"));
        }
        out
    }

    /// As a Graphviz digraph.
    pub fn dot(&self, name: &str) -> String {
        let mut out = format!(
            "digraph \"{}\" {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=11, style=filled];\n  \
             edge [fontname=\"sans-serif\", fontsize=9];\n",
            in_dot(name)
        );
        for (index, node) in self.nodes.iter().enumerate() {
            let (shape, fill, mut style) = match node.kind {
                Kind::Publisher => ("ellipse", "#eaf4ea", "filled"),
                Kind::Exchange => ("hexagon", "#fff3dc", "filled"),
                Kind::Queue => ("cylinder", "#e3eefb", "filled"),
                Kind::Wait => ("box", "#f5f5f5", "filled,rounded,dashed"),
                Kind::Dead => ("cylinder", "#fbe3e3", "filled"),
                Kind::Consumer => ("component", "#efe6fa", "filled"),
                Kind::Outside => ("note", "#ffffff", "filled,dashed"),
            };
            if node.foreign {
                style = "filled,dashed";
            }
            let (name, note) = (in_dot(node.name), in_dot(&node.note));
            line(
                &mut out,
                &format!(
                    "  n{index} [label=\"{name}\\n{note}\", shape={shape}, style=\"{style}\", fillcolor=\"{fill}\"];"
                ),
            );
        }
        for edge in &self.edges {
            let mut attributes = Vec::new();
            if !edge.label.is_empty() {
                attributes.push(format!("label=\"{}\"", in_dot(&edge.label)));
            }
            if edge.line != Line::Way {
                attributes.push("style=dashed, color=\"#888888\"".to_owned());
            }
            if edge.line == Line::Back {
                attributes.push("dir=both".to_owned());
            }
            line(&mut out, &format!("  n{} -> n{} [{}];", edge.from, edge.to, attributes.join(", ")));
        }
        out + "}\n"
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn wait_text(wait: &WaitView<'_>) -> String {
    if wait.min_ms == wait.max_ms { duration(wait.base_ms) } else { span(wait.min_ms, wait.max_ms) }
}

/// A text inside of a quoted Mermaid label: what is not plainly harmless is written by its number.
fn in_mermaid(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            ' ' | '.' | ',' | '-' | '_' | '/' | ':' | '=' | '(' | ')' | '*' | '+' => out.push(char),
            char if char.is_alphanumeric() => out.push(char),
            char if char.is_control() => out.push(' '),
            char => out.push_str(&format!("#{};", u32::from(char))),
        }
    }
    out
}

/// A text inside of a quoted Graphviz label.
fn in_dot(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            // Graphviz reads `&...;` as an entity of HTML.
            '&' => out.push_str("&amp;"),
            char if char.is_control() => out.push(' '),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_its_label() {
        let hostile = "a\"] end; <b>&amp; #quot; `x` \\N | {}\n%% ü 雪";
        let label = in_mermaid(hostile);
        assert!(label.chars().all(|char| !"\"[]<>&`\\|{}%\n".contains(char)), "{label}");
        assert!(label.contains("ü 雪"));
        assert_eq!(in_mermaid("order.#"), "order.#35;");
        assert_eq!(in_dot("a\"b\\N&lt;\n"), "a\\\"b\\\\N&amp;lt; ");
    }
}
