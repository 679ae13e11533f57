//! The WIT types that have a JSON form, in a form that does not depend on wasmtime.

use std::fmt;

use wasmtime::component::Type;

/// How deep a type may nest.
const MAX_DEPTH: usize = 24;
/// The most types one function may be made of, each mention counted: a few lines of WIT that name one another twice
/// can unfold to more than any memory holds.
const MAX_SHAPES: usize = 4_000;

/// A WIT type that has a JSON form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Bool,
    Int(Int),
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`, or `list<u8, N>` with its length.
    Bytes(Option<u32>),
    /// `list<T>`, or `list<T, N>` with its length.
    List(Box<Shape>, Option<u32>),
    /// `map<K, V>`.
    Map(Box<Shape>, Box<Shape>),
    Record(Vec<Member>),
    Tuple(Vec<Shape>),
    Variant(Vec<Case>),
    Enum(Vec<String>),
    Option(Box<Shape>),
    /// `result<T, E>`, as its cases `ok` and `err`.
    Result([Case; 2]),
    Flags(Vec<String>),
}

/// A field of a record, or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) shape: Shape,
}

/// A case of a variant or a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) tag: String,
    pub(crate) payload: Option<Box<Shape>>,
}

/// An integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Int {
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
}

/// The largest integer that every JSON implementation keeps (RFC 8259 section 6): 2^53 - 1.
pub(crate) const SAFE: i128 = (1 << 53) - 1;

impl Int {
    /// The smallest and the largest value.
    pub(crate) fn range(self) -> (i128, i128) {
        match self {
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
        }
    }

    /// Whether it has values beyond [`SAFE`]: these travel as decimal strings, and a string is always accepted.
    pub(crate) fn wide(self) -> bool {
        matches!(self, Self::U64 | Self::S64)
    }
}

/// Why a type has no JSON form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoShape {
    /// A handle, a stream or something else that is not a value.
    #[error("{0}, which is not a value that JSON can hold")]
    NotAValue(&'static str),
    /// Deeper than [`MAX_DEPTH`].
    #[error("types nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_SHAPES`].
    #[error("more than {MAX_SHAPES} types")]
    TooMany,
}

/// What is left of the bounds while a function's types are read.
pub(crate) struct Budget {
    shapes: usize,
    depth: usize,
}

impl Budget {
    /// Enough for one function.
    pub(crate) fn new() -> Self {
        Self { shapes: MAX_SHAPES, depth: MAX_DEPTH }
    }

    fn spend(&mut self, shapes: usize) -> Result<(), NoShape> {
        self.shapes = self.shapes.checked_sub(shapes).ok_or(NoShape::TooMany)?;
        Ok(())
    }
}

impl Shape {
    /// Reads a type.
    ///
    /// # Errors
    /// When it, or a type within it, has no JSON form, or when it is too large.
    pub(crate) fn read(ty: &Type, budget: &mut Budget) -> Result<Self, NoShape> {
        budget.spend(1)?;
        budget.depth = budget.depth.checked_sub(1).ok_or(NoShape::TooDeep)?;
        let shape = Self::of(ty, budget)?;
        budget.depth += 1;
        Ok(shape)
    }

    fn of(ty: &Type, budget: &mut Budget) -> Result<Self, NoShape> {
        let boxed = |ty: Type, budget: &mut Budget| Self::read(&ty, budget).map(Box::new);
        Ok(match ty {
            Type::Bool => Self::Bool,
            Type::U8 => Self::Int(Int::U8),
            Type::U16 => Self::Int(Int::U16),
            Type::U32 => Self::Int(Int::U32),
            Type::U64 => Self::Int(Int::U64),
            Type::S8 => Self::Int(Int::S8),
            Type::S16 => Self::Int(Int::S16),
            Type::S32 => Self::Int(Int::S32),
            Type::S64 => Self::Int(Int::S64),
            Type::Float32 => Self::F32,
            Type::Float64 => Self::F64,
            Type::Char => Self::Char,
            Type::String => Self::String,
            Type::List(list) => Self::list(&list.ty(), None, budget)?,
            Type::FixedLengthList(list) => Self::list(&list.ty(), Some(list.len()), budget)?,
            Type::Map(map) => Self::Map(boxed(map.key(), budget)?, boxed(map.value(), budget)?),
            Type::Record(record) => {
                let read = |field: wasmtime::component::types::Field<'_>| {
                    Ok(Member { name: field.name.into(), shape: Self::read(&field.ty, budget)? })
                };
                Self::Record(record.fields().map(read).collect::<Result<_, _>>()?)
            }
            Type::Tuple(tuple) => {
                Self::Tuple(tuple.types().map(|ty| Self::read(&ty, budget)).collect::<Result<_, _>>()?)
            }
            Type::Variant(variant) => {
                let read =
                    |case: wasmtime::component::types::Case<'_>| Case::read(case.name, case.ty, budget);
                Self::Variant(variant.cases().map(read).collect::<Result<_, _>>()?)
            }
            Type::Enum(names) => Self::Enum(Self::names(names.names(), budget)?),
            Type::Flags(flags) => Self::Flags(Self::names(flags.names(), budget)?),
            Type::Option(option) => Self::Option(boxed(option.ty(), budget)?),
            Type::Result(result) => Self::Result([
                Case::read("ok", result.ok(), budget)?,
                Case::read("err", result.err(), budget)?,
            ]),
            Type::Own(_) => return Err(NoShape::NotAValue("a resource")),
            Type::Borrow(_) => return Err(NoShape::NotAValue("a borrowed resource")),
            Type::Future(_) => return Err(NoShape::NotAValue("a future")),
            Type::Stream(_) => return Err(NoShape::NotAValue("a stream")),
            Type::ErrorContext => return Err(NoShape::NotAValue("an error-context")),
        })
    }

    fn list(element: &Type, len: Option<u32>, budget: &mut Budget) -> Result<Self, NoShape> {
        Ok(match Self::read(element, budget)? {
            Self::Int(Int::U8) => Self::Bytes(len),
            element => Self::List(Box::new(element), len),
        })
    }

    fn names<'a>(names: impl Iterator<Item = &'a str>, budget: &mut Budget) -> Result<Vec<String>, NoShape> {
        names.map(|name| budget.spend(1).map(|()| name.to_owned())).collect()
    }

    /// Whether a member of this shape may be left out.
    pub(crate) fn optional(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// Whether the payload of an option has to be wrapped as `{"some": payload}`: a bare `null` could otherwise mean
    /// the outer or the inner option.
    pub(crate) fn needs_some(&self) -> bool {
        matches!(self, Self::Option(_))
    }
}

impl Case {
    fn read(tag: &str, payload: Option<Type>, budget: &mut Budget) -> Result<Self, NoShape> {
        budget.spend(1)?;
        let payload = payload.map(|ty| Shape::read(&ty, budget)).transpose()?;
        Ok(Self { tag: tag.into(), payload: payload.map(Box::new) })
    }
}

/// What is expected, for messages.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Int(int) => {
                let (min, max) = int.range();
                write!(f, "an integer from {min} to {max}")?;
                if int.wide() { write!(f, ", as a decimal string beyond {SAFE}") } else { Ok(()) }
            }
            Self::F32 => {
                let max = f64::from(f32::MAX);
                write!(f, "a number from -{max:e} to {max:e}, \"NaN\", \"Infinity\" or \"-Infinity\"")
            }
            Self::F64 => f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\""),
            Self::Char => f.write_str("a string of one character"),
            Self::String => f.write_str("a string"),
            Self::Bytes(None) => f.write_str("bytes as a base64 string"),
            Self::Bytes(Some(len)) => write!(f, "{len} bytes as a base64 string"),
            Self::List(_, None) => f.write_str("an array"),
            Self::List(_, Some(len)) => write!(f, "an array of {len}"),
            Self::Map(key, _) if **key == Self::String => f.write_str("an object"),
            Self::Map(..) => f.write_str("an array of pairs [key, value]"),
            Self::Record(_) => f.write_str("an object"),
            Self::Tuple(items) => write!(f, "an array of {}", items.len()),
            Self::Variant(cases) => tagged(f, cases),
            Self::Result(cases) => tagged(f, cases),
            Self::Enum(names) => write!(f, "one of {}", Names(names.iter().map(String::as_str))),
            Self::Flags(names) => {
                write!(f, "an array with any of {}, each once", Names(names.iter().map(String::as_str)))
            }
            Self::Option(some) if some.needs_some() => f.write_str("null or an object {\"some\": value}"),
            Self::Option(some) => write!(f, "{some}, or null"),
        }
    }
}

fn tagged(f: &mut fmt::Formatter<'_>, cases: &[Case]) -> fmt::Result {
    let tags = Names(cases.iter().map(|case| case.tag.as_str()));
    write!(f, "an object {{\"tag\": name, \"val\": value}} with a tag of {tags}")
}

/// A list of names, cut where it gets too long for a message.
pub(crate) struct Names<I>(pub(crate) I);

impl<'a, I: Iterator<Item = &'a str> + Clone> fmt::Display for Names<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        for (index, name) in self.0.clone().take(SHOWN).enumerate() {
            write!(f, "{}\"{name}\"", if index == 0 { "" } else { ", " })?;
        }
        match self.0.clone().count().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
