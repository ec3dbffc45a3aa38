//! A module from a cdylib: a map of texts.

use std::cell::RefCell;
use std::collections::BTreeMap;

use marine_rs_sdk::marine;

thread_local! {
    static TEXTS: RefCell<BTreeMap<String, String>> = RefCell::default();
}

#[marine]
pub fn put(key: String, text: String) -> u32 {
    TEXTS.with(|texts| {
        let mut texts = texts.borrow_mut();
        texts.insert(key, text);
        texts.len() as u32
    })
}

#[marine]
pub fn get(key: &str) -> String {
    TEXTS.with(|texts| texts.borrow().get(key).cloned().unwrap_or_default())
}
