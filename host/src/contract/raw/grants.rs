//! What a handler may reach beside its messages: the `capabilities` of a consumer. What is granted mostly by its name
//! alone may be a text, or a mapping with more to say (`Short`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

/// What a handler may reach. All of it is granted by name, and nothing else is there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Capabilities {
    /// Configuration: keys and values (`wasi:config`).
    #[serde(default)]
    pub(in crate::contract) config: BTreeMap<String, String>,
    /// Secrets (`wasi:config`, under their own names): `NAME` for an environment variable of the host, or
    /// `{ name: NAME, file: path }`. Their values are never part of a contract.
    #[serde(default)]
    pub(in crate::contract) secrets: Vec<Short<SecretGrant>>,
    /// Origins that it may send HTTP requests to (`wasi:http/outgoing-handler`), such as `https://api.example.com`, or
    /// `{ origin: "http://stock.internal", allowPrivate: true }`.
    #[serde(default)]
    pub(in crate::contract) http: Vec<Short<HttpGrant>>,
    /// Folders that it sees (`wasi:filesystem`).
    #[serde(default)]
    pub(in crate::contract) files: Vec<FileGrant>,
    /// Key-value stores that it may use (`wasi:keyvalue`): `name`, or `{ name: name, maxMiB: 64 }`.
    #[serde(default)]
    pub(in crate::contract) key_value: Vec<Short<StoreGrant>>,
}

/// A secret that a handler may read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct SecretGrant {
    /// What the handler calls it; without a `file` also the environment variable that holds it.
    pub(in crate::contract) name: String,
    /// The file that holds it, relative to the contract file; a line feed at its end is not part of it.
    #[schemars(length(min = 1))]
    pub(in crate::contract) file: Option<String>,
}

/// An origin that a handler may send requests to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct HttpGrant {
    /// Scheme, host and, if it is not the usual one, port.
    pub(in crate::contract) origin: String,
    /// Whether it may be at a loopback, private or link-local address; no if not said.
    #[serde(default)]
    pub(in crate::contract) allow_private: bool,
}

/// A key-value store that a handler may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct StoreGrant {
    /// Its name; handlers of one host that name the same store share it.
    #[schemars(length(min = 1, max = 64))]
    pub(in crate::contract) name: String,
    /// How much its keys and values may take, in MiB; 64 if not said.
    #[schemars(range(min = 1, max = 1_048_576))]
    #[serde(rename = "maxMiB")]
    pub(in crate::contract) max_mib: Option<u32>,
}

/// A folder that a handler sees.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct FileGrant {
    /// The folder, relative to the contract file. It has to exist.
    #[schemars(length(min = 1))]
    pub(in crate::contract) path: String,
    /// Where the handler sees it; `/` and its path if not said.
    pub(in crate::contract) at: Option<String>,
    /// `read-only` (if not said) or `read-write`.
    #[serde(default)]
    pub(in crate::contract) access: Access,
}

/// What may be done with files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Access {
    #[default]
    ReadOnly,
    ReadWrite,
}

/// A grant that a text alone can be.
pub(in crate::contract) trait Named {
    /// The key of the mapping that the text is short for.
    const KEY: &'static str;

    /// The grant that the text is short for.
    fn named(name: String) -> Self;
}

impl Named for SecretGrant {
    const KEY: &'static str = "name";

    fn named(name: String) -> Self {
        Self { name, file: None }
    }
}

impl Named for HttpGrant {
    const KEY: &'static str = "origin";

    fn named(origin: String) -> Self {
        Self { origin, allow_private: false }
    }
}

impl Named for StoreGrant {
    const KEY: &'static str = "name";

    fn named(name: String) -> Self {
        Self { name, max_mib: None }
    }
}

/// A grant, written as a text or as a mapping.
#[derive(Debug)]
pub(in crate::contract) struct Short<T> {
    pub(in crate::contract) grant: T,
    /// Key of what names it, where it is a mapping.
    pub(in crate::contract) key: Option<&'static str>,
}

impl<'de, T: Named + Deserialize<'de>> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMapping<T>(PhantomData<T>);

        impl<'de, T: Named + Deserialize<'de>> Visitor<'de> for TextOrMapping<T> {
            type Value = Short<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a mapping")
            }

            fn visit_str<E>(self, text: &str) -> Result<Short<T>, E> {
                Ok(Short { grant: T::named(text.to_owned()), key: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Short<T>, A::Error> {
                let grant = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Short { grant, key: Some(T::KEY) })
            }
        }

        deserializer.deserialize_any(TextOrMapping(PhantomData))
    }
}

/// The schema of the mapping, which also takes a text: keywords for mappings say nothing of texts.
impl<T: JsonSchema> JsonSchema for Short<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("{}::Short<{}>", module_path!(), T::schema_id()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("type".to_owned(), json!(["string", "object"]));
        schema
    }
}
