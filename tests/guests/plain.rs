//! A component that does not know packhost: functions at its root and in two interfaces, with most types that WIT has.

wit_bindgen::generate!({
    inline: "
        package demo:plain@1.2.3;

        interface words {
            count: func(text: string, min-length: option<u32>) -> u32;
            longest: func(text: string) -> option<string>;
        }

        interface shapes {
            record point { x: s32, y: s32 }
            record person { name: string, age: option<u8>, tags: list<string> }
            variant shape { circle(f64), square(point), nothing }
            enum color { red, green, dark-blue }
            flags access { read, write, run }

            echo-person: func(person: person) -> person;
            echo-shape: func(shape: shape) -> shape;
            echo-color: func(color: color) -> color;
            echo-access: func(access: access) -> access;
            echo-bytes: func(bytes: list<u8>) -> list<u8>;
            echo-big: func(unsigned: u64, signed: s64) -> tuple<u64, s64>;
            echo-float: func(value: f64) -> f64;
            echo-char: func(letter: char) -> char;
            echo-points: func(points: list<point>) -> list<point>;
            echo-nested: func(value: option<option<string>>) -> option<option<string>>;
            echo-result: func(value: result<u8, string>) -> tuple<result<u8, string>>;
        }

        interface machines {
            resource machine { constructor(name: string); name: func() -> string; }
            start: func(machine: machine);
        }

        world plain {
            export add: func(a: s32, b: s32) -> s32;
            export divide: func(dividend: f64, divisor: f64) -> result<f64, string>;
            export crash: func();
            export nothing: func();
            export words;
            export shapes;
            export machines;
        }
    ",
    generate_all,
});

use exports::demo::plain::machines::{Guest as Machines, GuestMachine, Machine};
use exports::demo::plain::shapes::{Access, Color, Guest as Shapes, Person, Point, Shape};
use exports::demo::plain::words::Guest as Words;

struct Plain;

impl Guest for Plain {
    fn add(a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }

    fn divide(dividend: f64, divisor: f64) -> Result<f64, String> {
        if divisor == 0.0 { Err("the divisor is zero".into()) } else { Ok(dividend / divisor) }
    }

    fn crash() {
        core::arch::wasm32::unreachable()
    }

    fn nothing() {}
}

impl Words for Plain {
    fn count(text: String, min_length: Option<u32>) -> u32 {
        let least = min_length.unwrap_or(1) as usize;
        text.split_whitespace().filter(|word| word.chars().count() >= least).count() as u32
    }

    fn longest(text: String) -> Option<String> {
        text.split_whitespace().max_by_key(|word| word.chars().count()).map(String::from)
    }
}

impl Shapes for Plain {
    fn echo_person(person: Person) -> Person {
        person
    }

    fn echo_shape(shape: Shape) -> Shape {
        shape
    }

    fn echo_color(color: Color) -> Color {
        color
    }

    fn echo_access(access: Access) -> Access {
        access
    }

    fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn echo_big(unsigned: u64, signed: i64) -> (u64, i64) {
        (unsigned, signed)
    }

    fn echo_float(value: f64) -> f64 {
        value
    }

    fn echo_char(letter: char) -> char {
        letter
    }

    fn echo_points(points: Vec<Point>) -> Vec<Point> {
        points
    }

    fn echo_nested(value: Option<Option<String>>) -> Option<Option<String>> {
        value
    }

    fn echo_result(value: Result<u8, String>) -> (Result<u8, String>,) {
        (value,)
    }
}

struct Named(String);

impl GuestMachine for Named {
    fn new(name: String) -> Self {
        Self(name)
    }

    fn name(&self) -> String {
        self.0.clone()
    }
}

impl Machines for Plain {
    type Machine = Named;

    fn start(_: Machine) {}
}

export!(Plain);
