//! Types of the component model as text, with no names but those that matter: two interfaces are the same if their texts
//! are. A component may make its types large on purpose, so a text has a limit.

use wasmparser::component_types::{
    ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType, ComponentFuncTypeId, ComponentValType,
};
use wasmparser::types::TypesRef;

/// The longest text, in bytes.
const BYTES_MAX: usize = 4 * 1024;
/// How deep types may be inside each other.
const DEPTH_MAX: usize = 32;

/// The functions of an interface, each as `name: func(..) -> ..`, by name. None if the item is no interface.
pub(super) fn functions(types: TypesRef<'_>, item: &ComponentEntityType) -> Option<Vec<(String, String)>> {
    let ComponentEntityType::Instance(instance) = item else { return None };
    let mut functions: Vec<(String, String)> = Vec::new();
    for (name, item) in &types.get(*instance)?.exports {
        if let ComponentEntityType::Func(function) = item.ty {
            functions.push((name.clone(), Text::new(types).function(function)));
        }
    }
    functions.sort();
    Some(functions)
}

struct Text<'a> {
    types: TypesRef<'a>,
    out: String,
}

impl<'a> Text<'a> {
    fn new(types: TypesRef<'a>) -> Self {
        Self { types, out: String::new() }
    }

    fn function(mut self, function: ComponentFuncTypeId) -> String {
        let Some(function) = self.types.get(function) else { return self.out };
        self.put(if function.async_ { "async func(" } else { "func(" });
        let params = function.params.iter().map(|(name, ty)| (name.as_str(), Some(*ty)));
        self.list(params, 0);
        self.put(")");
        if let Some(result) = function.result {
            self.put(" -> ");
            self.value(result, 0);
        }
        self.out
    }

    fn put(&mut self, text: &str) {
        if self.out.len() < BYTES_MAX {
            self.out.push_str(text);
        }
    }

    /// Names and types, with commas between them.
    fn list<'n>(&mut self, items: impl Iterator<Item = (&'n str, Option<ComponentValType>)>, depth: usize) {
        for (index, (name, ty)) in items.enumerate() {
            if self.out.len() >= BYTES_MAX {
                return;
            }
            self.put(if index == 0 { "" } else { ", " });
            self.put(name);
            if let Some(ty) = ty {
                self.put(if name.is_empty() { "" } else { ": " });
                self.value(ty, depth);
            }
        }
    }

    fn value(&mut self, ty: ComponentValType, depth: usize) {
        match ty {
            ComponentValType::Primitive(primitive) => self.put(&primitive.to_string()),
            ComponentValType::Type(_) if depth >= DEPTH_MAX || self.out.len() >= BYTES_MAX => self.put(".."),
            ComponentValType::Type(id) => self.defined(id, depth + 1),
        }
    }

    fn of(&mut self, word: &str, items: &[Option<ComponentValType>], depth: usize) {
        self.put(word);
        if items.iter().all(Option::is_none) {
            return;
        }
        self.put("<");
        for (index, item) in items.iter().enumerate() {
            self.put(if index == 0 { "" } else { ", " });
            match item {
                Some(ty) => self.value(*ty, depth),
                None => self.put("_"),
            }
        }
        self.put(">");
    }

    fn named<'n>(
        &mut self,
        word: &str,
        items: impl Iterator<Item = (&'n str, Option<ComponentValType>)>,
        depth: usize,
    ) {
        self.put(word);
        self.put(" { ");
        self.list(items, depth);
        self.put(" }");
    }

    fn defined(&mut self, id: ComponentDefinedTypeId, depth: usize) {
        let Some(defined) = self.types.get(id) else { return };
        match defined {
            ComponentDefinedType::Primitive(primitive) => self.put(&primitive.to_string()),
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter().map(|(name, ty)| (name.as_str(), Some(*ty)));
                self.named("record", fields, depth);
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter().map(|(name, case)| (name.as_str(), case.ty));
                self.named("variant", cases, depth);
            }
            ComponentDefinedType::Flags(names) => {
                self.named("flags", names.iter().map(|name| (name.as_str(), None)), depth);
            }
            ComponentDefinedType::Enum(names) => {
                self.named("enum", names.iter().map(|name| (name.as_str(), None)), depth);
            }
            ComponentDefinedType::List { element, .. } => self.of("list", &[Some(*element)], depth),
            ComponentDefinedType::FixedLengthList { element, length, .. } => {
                self.of(&format!("list-of-{length}"), &[Some(*element)], depth);
            }
            ComponentDefinedType::Map { key, value, .. } => {
                self.of("map", &[Some(*key), Some(*value)], depth)
            }
            ComponentDefinedType::Tuple(tuple) => {
                let items: Vec<_> = tuple.types.iter().copied().map(Some).collect();
                self.of("tuple", &items, depth);
            }
            ComponentDefinedType::Option { ty, .. } => self.of("option", &[Some(*ty)], depth),
            ComponentDefinedType::Result { ok, err, .. } => self.of("result", &[*ok, *err], depth),
            ComponentDefinedType::Own(_) => self.put("own"),
            ComponentDefinedType::Borrow(_) => self.put("borrow"),
            ComponentDefinedType::Future { ty, .. } => self.of("future", &[*ty], depth),
            ComponentDefinedType::Stream { ty, .. } => self.of("stream", &[*ty], depth),
        }
    }
}
