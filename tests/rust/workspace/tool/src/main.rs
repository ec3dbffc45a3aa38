//! A program of the workspace that is no module.

#[cfg(target_arch = "wasm32")]
compile_error!("this program is not for WebAssembly");

fn main() {}
