//! Marine's own runtime (crates.io: marine-runtime, fluence-app-service) behind a line protocol.
//!
//! One request a line on stdin, one answer a line on stdout, both JSON objects. A driver in Python lets this process and
//! marine-gen take turns, so nothing here keeps rounds or statistics.
//!
//!   {"op": "load", "modules": [["name", "path"], …]}        modules in order, with the settings of mrepl's `load`
//!   {"op": "load", "config": "Config.toml", "working_dir": "."}
//!        both: "slot": "a" (services side by side), "memory_limit": bytes, "envs": {…}
//!   {"op": "call", "module": m, "fn": f, "args": […], "cp": {…}, "timeout_ms": 2000}
//!   {"op": "time", "module": m, "fn": f, "args": […], "mode": "ivalue" | "text", "calls": 100}
//!   {"op": "interface"}  {"op": "stats"}  {"op": "rss"}  {"op": "drop"}
//!
//! Options of the process, for the asynchronous flavour: --no-debug-info --no-epoch --pooling --cache --no-ticker.
//! Without any, the engine is configured as in mrepl and `AppService::new`.

mod flavour;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::os::fd::FromRawFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flavour::{AppServiceConfig, Backend, CallParameters, IValue, Marine, MarineConfig, MarineModuleConfig, MarineWASIConfig, ModuleDescriptor, TomlAppServiceConfig};
use serde_json::{json, Value};

type Failure = Box<dyn std::error::Error>;

fn strings(value: &Value) -> HashMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_string())).collect()
}

async fn load(request: &Value, backend: Backend) -> Result<Marine, Failure> {
    let envs = strings(&request["envs"]);
    let mut config: MarineConfig = match request["config"].as_str() {
        Some(path) => {
            let path = PathBuf::from(path);
            let mut toml = TomlAppServiceConfig::load(&path)?;
            toml.service_working_dir = Some(request["working_dir"].as_str().unwrap_or(".").to_string());
            toml.toml_marine_config.base_path = path.parent().map(PathBuf::from).unwrap_or_default();
            let config: AppServiceConfig = toml.try_into()?;
            let mut marine_config = config.marine_config;
            // As `AppService` does.
            for module in &mut marine_config.modules_config {
                module.config.extend_wasi_envs(envs.clone());
                module.config.root_wasi_files_at(&config.service_working_dir);
                for dir in module.config.wasi.iter().flat_map(|w| w.mapped_dirs.values()) {
                    std::fs::create_dir_all(dir)?;
                }
            }
            marine_config
        }
        None => {
            let modules = request["modules"].as_array().ok_or("modules or config is missing")?;
            let mut descriptors = Vec::new();
            for module in modules {
                let name = module[0].as_str().ok_or("a module has no name")?;
                let path = module[1].as_str().ok_or("a module has no path")?;
                let wasi = (!envs.is_empty()).then(|| MarineWASIConfig { envs: envs.clone(), mapped_dirs: HashMap::new() });
                let config = MarineModuleConfig { logger_enabled: true, host_imports: HashMap::new(), wasi, logging_mask: 0 };
                descriptors.push(ModuleDescriptor {
                    load_from: Some(PathBuf::from(path)),
                    file_name: String::new(),
                    import_name: name.to_string(),
                    config,
                });
            }
            MarineConfig { modules_config: descriptors, ..Default::default() }
        }
    };
    if let Some(limit) = request["memory_limit"].as_u64() {
        config.total_memory_limit = Some(limit);
    }
    Ok(flavour::open(backend, config).await?)
}

/// The error as `Display` gives it, and its causes.
fn failure(error: &dyn std::error::Error) -> Value {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    json!({"ok": false, "error": error.to_string(), "causes": causes})
}

struct Target<'r> {
    module: &'r str,
    function: &'r str,
    args: Value,
    parameters: CallParameters,
}

fn target(request: &Value) -> Result<Target<'_>, Failure> {
    let parameters = match &request["cp"] {
        Value::Null => CallParameters::default(),
        given => serde_json::from_value(given.clone())?,
    };
    let module = request["module"].as_str().ok_or("module is missing")?;
    let function = request["fn"].as_str().ok_or("fn is missing")?;
    // `text` is parsed here, so that a driver can hand over what is not valid in its own JSON.
    let args = match request["text"].as_str() {
        Some(text) => serde_json::from_str(text)?,
        None => request["args"].clone(),
    };
    Ok(Target { module, function, args, parameters })
}

fn ivalues(marine: &Marine, target: &Target) -> Result<Vec<IValue>, Failure> {
    let interface = marine.get_interface();
    let module = interface.modules.get(target.module).ok_or("no such module")?;
    let mut signatures = module.function_signatures.iter();
    let signature = signatures.find(|s| s.name.as_str() == target.function).ok_or("no such function")?;
    let types = signature.arguments.iter().map(|argument| (&argument.name, &argument.ty));
    Ok(flavour::json_to_ivalues(target.args.clone(), types, module.record_types)?)
}

async fn call(marine: &mut Marine, request: &Value) -> Result<Value, Failure> {
    let target = target(request)?;
    let timeout = Duration::from_millis(request["timeout_ms"].as_u64().unwrap_or(5000));
    let future = flavour::call_json(marine, target.module, target.function, target.args, target.parameters);
    Ok(match tokio::time::timeout(timeout, future).await {
        Ok(Ok(result)) => json!({"ok": true, "written": result.to_string(), "result": result}),
        Ok(Err(error)) => failure(&error),
        Err(_) => json!({"ok": false, "error": "timeout", "timeout": true}),
    })
}

/// Nanoseconds of a number of calls.
async fn time(marine: &mut Marine, request: &Value) -> Result<Value, Failure> {
    let values = ivalues(marine, &target(request)?)?;
    let Target { module, function, args, parameters } = target(request)?;
    let calls = request["calls"].as_u64().unwrap_or(1);
    let text = args.to_string();
    let start = Instant::now();
    match request["mode"].as_str().unwrap_or("ivalue") {
        "ivalue" => {
            for _ in 0..calls {
                let result = flavour::call_ivalues(marine, module, function, &values, parameters.clone()).await?;
                std::hint::black_box(result);
            }
        }
        "text" => {
            for _ in 0..calls {
                let parsed: Value = serde_json::from_str(&text)?;
                let result = flavour::call_json(marine, module, function, parsed, parameters.clone()).await?;
                std::hint::black_box(result.to_string());
            }
        }
        other => return Err(format!("no such mode: {other}").into()),
    }
    Ok(json!({"ok": true, "ns": start.elapsed().as_nanos() as f64}))
}

/// Resident and peak resident memory of this process in bytes.
fn rss() -> Value {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    json!({"ok": true, "rss": field("VmRSS:"), "peak": field("VmHWM:"), "virtual": field("VmSize:")})
}

async fn answer(request: &Value, backend: &Backend, slots: &mut HashMap<String, Marine>) -> Result<Value, Failure> {
    let slot = request["slot"].as_str().unwrap_or("").to_string();
    match request["op"].as_str().unwrap_or_default() {
        "load" => {
            let start = Instant::now();
            let marine = load(request, backend.clone()).await;
            let ns = start.elapsed().as_nanos() as f64;
            slots.insert(slot, marine?);
            Ok(json!({"ok": true, "ns": ns}))
        }
        "rss" => Ok(rss()),
        "drop" => {
            slots.remove(&slot);
            Ok(json!({"ok": true}))
        }
        op => {
            let marine = slots.get_mut(&slot).ok_or("nothing is loaded")?;
            match op {
                "call" => call(marine, request).await,
                "time" => time(marine, request).await,
                "interface" => Ok(json!({"ok": true, "text": marine.get_interface().to_string(), "interface": marine.get_interface()})),
                "stats" => Ok(json!({"ok": true, "stats": marine.module_memory_stats().to_string()})),
                other => Err(format!("no such operation: {other}").into()),
            }
        }
    }
}

/// Where answers go: what was stdout. What guests write to their stdout goes to stderr instead.
fn answers() -> Result<std::fs::File, Failure> {
    // SAFETY: the new descriptor is owned by nobody else, and those below stay open.
    unsafe {
        let kept = libc::dup(1);
        if kept < 0 || libc::dup2(2, 1) < 0 {
            return Err("stdout can't be redirected".into());
        }
        Ok(std::fs::File::from_raw_fd(kept))
    }
}

fn main() -> Result<(), Failure> {
    let options: Vec<String> = std::env::args().skip(1).collect();
    let start = Instant::now();
    let backend = flavour::backend(&options)?;
    let engine_ns = start.elapsed().as_nanos() as f64;
    if !options.iter().any(|o| o == "--no-ticker") {
        // As mrepl does: a call yields to the executor every 10 ms, which is what makes its time limit work.
        let ticker = backend.clone();
        std::thread::spawn(move || loop {
            std::thread::sleep(Duration::from_millis(10));
            flavour::tick(&ticker);
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut slots = HashMap::new();
    let mut out = answers()?;
    writeln!(out, "{}", json!({"ok": true, "runtime": flavour::NAME, "engine_ns": engine_ns}))?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = match runtime.block_on(answer(&request, &backend, &mut slots)) {
            Ok(answer) => answer,
            Err(error) => failure(error.as_ref()),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
