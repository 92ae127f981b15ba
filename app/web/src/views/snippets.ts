/** A request as a program that sends it. */

export function curl(url: string, body: unknown): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  return `curl ${quoted(url)} -d ${quoted(JSON.stringify(body))}`;
}

export function python(url: string, body: unknown): string {
  return `import json
from urllib.request import Request, urlopen

body = ${literal(body)}
request = Request(${JSON.stringify(url)}, json.dumps(body).encode())
print(json.load(urlopen(request)))`;
}

export function javascript(url: string, body: unknown): string {
  return `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  body: JSON.stringify(${JSON.stringify(body)}),
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
