// Measures marine-js inside Node. Reads a request per line from stdin and answers each with a line of JSON on stdout;
// the caller decides when which service is timed. Runs in the folder with node_modules.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

// Answers are alone on stdout.
console.log = console.info = console.error;

// The package exports nothing that `require.resolve` finds.
const root = path.resolve('node_modules/@fluencelabs/marine-js');
const { MarineService } = await import(pathToFileURL(path.join(root, 'dist/MarineService.js')).href);
const controlBytes = fs.readFileSync(path.join(root, 'dist/marine-js.wasm'));
let control = await WebAssembly.compile(controlBytes);

const parameters = {
  init_peer_id: '', service_id: '', service_creator_peer_id: '', host_id: '', particle_id: '', tetraplets: [],
  particle: { id: '', init_peer_id: '', timestamp: 0, ttl: 0, script: '', signature: [], token: '' }, worker_id: '',
};
const services = new Map();

async function open(modules) {
  const names = Object.keys(modules);
  const settings = (name) => ({
    import_name: name,
    config: { logger_enabled: true, logging_mask: 0, wasi: { envs: {}, mapped_dirs: {}, preopened_files: [] } },
  });
  const bytes = Object.fromEntries(names.map((name) => [name, fs.readFileSync(modules[name])]));
  const service = new MarineService(control, 'service', () => {}, { modules_config: names.map(settings) }, bytes, {});
  await service.init();
  return { service, last: names.at(-1) };
}

function nanoseconds(work) {
  const began = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - began);
}

const operations = {
  versions() {
    const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json')));
    return { node: process.versions.node, v8: process.versions.v8, 'marine-js': version };
  },
  // With the result of one call.
  async open({ id, modules, function: name, arguments: values, count }) {
    const opened = [];
    for (let i = 0; i < count; i++) opened.push(await open(modules));
    services.set(id, { opened, name, values, text: JSON.stringify(values) });
    return opened.map(({ service }) => service.call(name, values, parameters)).at(-1);
  },
  // `text` leaves out JSON.parse and JSON.stringify around the control module's own function.
  time({ id, calls, text: raw }) {
    const { opened, name, values, text } = services.get(id);
    return nanoseconds(() => {
      for (let i = 0; i < calls; i++) {
        for (const { service, last } of opened) {
          if (raw) service._controlModuleInstance.call_module(last, name, text, parameters);
          else service.call(name, values, parameters);
        }
      }
    });
  },
  close({ id }) {
    services.delete(id);
    return null;
  },
  async load({ modules, calls, cold }) {
    const began = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) {
      if (cold) control = await WebAssembly.compile(controlBytes);
      await open(modules);
    }
    return Number(process.hrtime.bigint() - began);
  },
  async first({ modules, function: name, arguments: values }) {
    const began = process.hrtime.bigint();
    control = await WebAssembly.compile(controlBytes);
    const { service } = await open(modules);
    const result = service.call(name, values, parameters);
    return { value: Number(process.hrtime.bigint() - began), result };
  },
  async resident({ modules, function: name, arguments: values }) {
    const { service } = await open(modules);
    const result = service.call(name, values, parameters);
    return { value: process.memoryUsage.rss(), result };
  },
  async memory({ modules, function: name, arguments: values, count }) {
    const kept = [await open(modules)];
    kept[0].service.call(name, values, parameters);
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    let result = null;
    for (let i = 0; i < count; i++) {
      kept.push(await open(modules));
      result = kept.at(-1).service.call(name, values, parameters);
    }
    globalThis.gc?.();
    return { value: Math.max(process.memoryUsage.rss() - before, 0) / count, result };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = { answer: await operations[request.operation](request) };
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  fs.writeSync(1, JSON.stringify(answer) + '\n');
}
