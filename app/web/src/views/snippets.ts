/** A request as a program that sends it; where a key is needed, that of the variable NETLET_KEY. */

import { isSignedIn } from "../api";

export function curl(url: string, body: unknown): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const key = isSignedIn() ? ' -H "Authorization: Bearer $NETLET_KEY"' : "";
  return `curl ${quoted(url)}${key} -d ${quoted(JSON.stringify(body))}`;
}

export function python(url: string, body: unknown): string {
  const [needed, key] = isSignedIn() ? ["import os\n", ', {"Authorization": f"Bearer {os.environ[\'NETLET_KEY\']}"}'] : ["", ""];
  return `import json
${needed}from urllib.request import Request, urlopen

body = ${literal(body)}
request = Request(${JSON.stringify(url)}, json.dumps(body).encode()${key})
print(json.load(urlopen(request)))`;
}

export function javascript(url: string, body: unknown): string {
  const key = isSignedIn() ? "  headers: { authorization: `Bearer ${process.env.NETLET_KEY}` },\n" : "";
  return `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
${key}  body: JSON.stringify(${JSON.stringify(body)}),
});
console.log(await response.json());`;
}

/** A value as Python writes it: a text of JSON is one of Python's too. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${literal(each)}`).join(", ")}}`;
}
