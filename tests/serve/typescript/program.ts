// A client whose types come from the OpenAPI document of a server. It calls functions of several kinds.
import createClient from "openapi-fetch";
import type { components, paths } from "./service.js";

const form = "application/json; bytes=base64; int64=string";
const client = createClient<paths>({ baseUrl: process.argv[2]!, headers: { "Content-Type": form, Accept: form } });

function same(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
}

const greeting = await client.POST("/greeting/greeting", { body: { name: "Jörg" } });
same(greeting.data satisfies string | undefined, "Hi, Jörg");
same((await client.POST("/greeting/greeting", { body: ["John"] })).data, "Hi, John");

const big = "18446744073709551600";
const number = await client.POST("/arguments_passing_effector/u64_type", { body: { arg: big } });
same(typeof (number.data satisfies string | undefined), "string");
same(BigInt(number.data!) > 2n ** 60n, true);

const data = await client.POST("/bench_effector/echo_bytes", { body: { data: btoa("bytes") } });
same(atob(data.data! as string), "bytes");

const given: components["schemas"]["TestRecordInput"] = {
  field_0: true, field_1: 1, field_2: 2, field_3: 3, field_4: "4", field_5: 5, field_6: 6, field_7: 7, field_8: big,
  field_9: 9, field_10: 10, field_11: "x", field_12: btoa("y"),
};
const record = await client.POST("/records_effector/mutate_struct", { body: { test_record: given } });
const result: components["schemas"]["TestRecord"] = record.data!;
same(typeof result.field_8, "string");

const failed = await client.POST("/lab/trap", { body: [1] });
same(failed.error!.code, "trap");
same(failed.response.status, 500);

// @ts-expect-error: a number is no name
await client.POST("/greeting/greeting", { body: { name: 7 } });
console.log("fine");
