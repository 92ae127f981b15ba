/** The public API, and nothing but it: requests, what goes wrong with them, and events as they happen. */

import type { components } from "./openapi";

export type Schemas = components["schemas"];

const KEY = "netlet.key";
const RETRY_MS = 500;
const base = new URL(".", document.baseURI);

/** What the service said was wrong (RFC 9457), or why it could not be asked. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly faults: Fault[] = [],
    readonly requestId = "",
  ) {
    super(detail || title);
  }
}

export interface Fault {
  row?: number;
  column?: string;
  field?: string;
  got?: unknown;
  expected?: string;
}

/** Give the address of a route, whatever prefix the page is served behind. */
export const address = (route: string): string => new URL(route, base).href;

export const signIn = (key: string): void => sessionStorage.setItem(KEY, key);

/** Whether a key is sent with each request. */
export const isSignedIn = (): boolean => sessionStorage.getItem(KEY) !== null;

/** The path of a version below `models/`. */
export const versionPath = (name: string, version: number | string): string =>
  `models/${encodeURIComponent(name)}/versions/${version}`;

function headers(extra: Record<string, string> = {}): Record<string, string> {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...extra, authorization: `Bearer ${key}` } : extra;
}

/** Ask the service; throws Problem. */
export async function ask(route: string, options: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address(route), { ...options, headers: headers(options.headers) });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new Problem(0, "The service cannot be reached", "It may be starting again. Try once more in a moment.");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response: Response): Promise<Problem> {
  const id = response.headers.get("x-request-id") ?? "";
  try {
    const told = await response.json();
    return new Problem(response.status, told.title, told.detail ?? "", told.errors ?? [], id);
  } catch {
    return new Problem(response.status, `The service answered ${response.status}`, response.statusText, [], id);
  }
}

export const get = async <T>(route: string, signal?: AbortSignal): Promise<T> =>
  (await ask(route, signal ? { signal } : {})).json();

export async function send<T>(method: string, route: string, body?: unknown, signal?: AbortSignal, more: Record<string, string> = {}): Promise<T> {
  const options: RequestInit = { method };
  if (body !== undefined) options.body = JSON.stringify(body);
  if (signal) options.signal = signal;
  const response = await ask(route, { ...options, headers: { "content-type": "application/json", ...more } });
  return response.status === 204 ? (undefined as T) : response.json();
}

export const post = <T>(route: string, body?: unknown, signal?: AbortSignal): Promise<T> => send<T>("POST", route, body, signal);

export interface ServerEvent {
  event: string;
  id: string;
  data: unknown;
}

/**
 * Follow Server-Sent Events until the signal aborts or `heard` returns true. A connection that ends is made again, and
 * goes on after the last event; `lost` is told while the service is away.
 */
export async function follow(
  route: string,
  signal: AbortSignal,
  heard: (event: ServerEvent) => boolean,
  lost: (isLost: boolean) => void = () => {},
): Promise<void> {
  let last = "";
  while (!signal.aborted) {
    try {
      const response = await ask(route, { signal, headers: last ? { "last-event-id": last } : {} });
      lost(false);
      for await (const event of eventsOf(response)) {
        last = event.id || last;
        if (heard(event)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status >= 400 && error.status < 500) throw error;
      lost(true);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
    rest = parts.pop()!;
    for (const part of parts) {
      const fields = new Map(part.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
      const data = fields.get("data");
      if (data !== undefined) yield { event: fields.get("event") ?? "message", id: fields.get("id") ?? "", data: JSON.parse(data) };
    }
  }
}
