//! A module from a binary: it imports from another module and from the host, and has records of another crate.

use marine_rs_sdk::marine;
use shapes::{Point, Shape};

pub fn main() {}

#[marine]
pub fn describe(shape: Shape) -> String {
    let text = format!("{}: {}", shape.name, shape.points.len());
    let text = if cfg!(feature = "loud") {
        text.to_uppercase()
    } else {
        text
    };
    put(shape.name, text.clone());
    text
}

#[marine]
pub fn recall(name: String) -> String {
    get(name)
}

#[marine]
pub fn mirrored(points: Vec<Point>) -> Vec<Point> {
    points
        .into_iter()
        .map(|point| Point {
            x: -point.x,
            y: point.y,
        })
        .collect()
}

#[marine]
pub fn zone() -> String {
    time_zone(7)
}

#[marine]
pub fn caller() -> String {
    marine_rs_sdk::get_call_parameters().particle.init_peer_id
}

#[marine]
#[module_import("storage")]
extern "C" {
    fn put(key: String, text: String) -> u32;
    fn get(key: String) -> String;
}

#[marine]
#[host_import]
extern "C" {
    fn time_zone(place: u32) -> String;
}
