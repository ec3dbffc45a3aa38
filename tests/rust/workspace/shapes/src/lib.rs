//! A library of records that modules share. It uses the SDK, and is no module.

use marine_rs_sdk::marine;

#[marine]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[marine]
pub struct Shape {
    pub name: String,
    pub points: Vec<Point>,
}
