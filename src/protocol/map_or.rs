//! [`MapOr`]: a look into an object, wherever there is one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::protocol::names::Named;

/// `T` read from an object; its default from any other JSON value, which is the inner service's to judge. Names may be written in any
/// way, unless the whole JSON is known to have none that is `ESCAPED`.
#[derive(Default)]
pub(super) struct MapOr<T, const ESCAPED: bool = true> {
    pub(super) map: T,
}

impl<'de, T: Deserialize<'de> + Default, const ESCAPED: bool> Deserialize<'de> for MapOr<T, ESCAPED> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MapOrVisitor::<T, ESCAPED>(PhantomData)).map(|map| Self { map })
    }
}

struct MapOrVisitor<T, const ESCAPED: bool>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default, const ESCAPED: bool> Visitor<'de> for MapOrVisitor<T, ESCAPED> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        match ESCAPED {
            true => T::deserialize(MapAccessDeserializer::new(Named(map))),
            false => T::deserialize(MapAccessDeserializer::new(map)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
}
