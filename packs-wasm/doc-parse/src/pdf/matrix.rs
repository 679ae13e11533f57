//! Where things are on a page (ISO 32000-1, 8.3.3).

/// A coordinate transformation: `x' = a·x + c·y + e`, `y' = b·x + d·y + f`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix {
    a: f32,
    b: f32,
    c: f32,
    d: f32,
    e: f32,
    f: f32,
}

/// A point or a direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

impl Matrix {
    pub(crate) const IDENTITY: Self = Self { a: 1.0, b: 0.0, c: 0.0, d: 1.0, e: 0.0, f: 0.0 };

    pub(crate) fn new([a, b, c, d, e, f]: [f32; 6]) -> Self {
        Self { a, b, c, d, e, f }
    }

    pub(crate) fn translation(e: f32, f: f32) -> Self {
        Self { e, f, ..Self::IDENTITY }
    }

    /// First this one, then the other.
    pub(crate) fn then(self, o: Self) -> Self {
        Self {
            a: self.a * o.a + self.b * o.c,
            b: self.a * o.b + self.b * o.d,
            c: self.c * o.a + self.d * o.c,
            d: self.c * o.b + self.d * o.d,
            e: self.e * o.a + self.f * o.c + o.e,
            f: self.e * o.b + self.f * o.d + o.f,
        }
    }

    /// Where the origin is.
    pub(crate) fn origin(self) -> Point {
        Point { x: self.e, y: self.f }
    }

    /// Where the writing goes.
    pub(crate) fn along(self) -> Point {
        Point { x: self.a, y: self.b }
    }

    /// How tall one unit is.
    pub(crate) fn height(self) -> f32 {
        self.c.hypot(self.d)
    }
}
