// Speaks with the server. What goes wrong is a `Problem`, whose message is for the reader.

import type { About, Facets, Footprints, Found, Item, Kept, Layout, Mark, Page, Scene, Taught, Uploaded } from "./types";

/** Items that are asked for at once. */
export const PAGE = 120;

export class Problem extends Error {
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(message);
  }
}

/** Whether something was given up because something newer was asked. */
export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

let token = "";

async function send(method: Method, path: string, body: Blob | object | undefined, signal: AbortSignal | undefined, again = true): Promise<Response> {
  const headers: Record<string, string> = {};
  if (method !== "GET") headers["X-Keras-Dhnn-Token"] = token;
  if (body && !(body instanceof Blob)) headers["Content-Type"] = "application/json";
  const content = body instanceof Blob ? body : body && JSON.stringify(body);
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers, body: content ?? null, signal: signal ?? null });
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new Problem("unreachable", "The server does not answer. Is keras-dhnn browse still running? Start it again, then try once more.");
  }
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (problem.kind === "token" && again) {
    await about();
    return send(method, path, body, signal, false);
  }
  throw problem;
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    const { error } = (await answer.json()) as { error: { kind: string; message: string } };
    return new Problem(error.kind, error.message);
  } catch {
    return new Problem("internal", `The server answered ${answer.status} without saying why. Its terminal may tell more.`);
  }
}

async function json<T>(method: Method, path: string, body?: Blob | object, signal?: AbortSignal): Promise<T> {
  return (await (await send(method, path, body, signal)).json()) as T;
}

const named = (name: string): string => `api/searches/${encodeURIComponent(name)}`;

export async function about(): Promise<About> {
  const answer = await json<About>("GET", "api/about");
  token = answer.token;
  return answer;
}

export const api = {
  tiles: (query: URLSearchParams, signal: AbortSignal) => json<Page>("GET", `api/tiles?${query}`, undefined, signal),
  search: (query: URLSearchParams, signal: AbortSignal) => json<Found>("GET", `api/search?${query}`, undefined, signal),
  facets: (query: URLSearchParams, signal: AbortSignal) => json<Facets>("GET", `api/facets?${query}`, undefined, signal),
  layout: (query: URLSearchParams, signal: AbortSignal) => json<Layout>("GET", `api/map?${query}`, undefined, signal),
  footprints: (query: URLSearchParams, signal: AbortSignal) => json<Footprints>("GET", `api/footprints?${query}`, undefined, signal),
  upload: (source: string, name: string, content: Blob) => json<Uploaded>("POST", `api/upload?${new URLSearchParams({ source, name })}`, content),
  scenes: async (source: string) => (await json<{ scenes: Scene[] }>("GET", `api/scenes?${new URLSearchParams({ source })}`)).scenes,
  box: (box: { source: string; scene: string; row: number; col: number; height: number; width: number }) => json<Uploaded>("POST", "api/box", box),

  searches: async () => (await json<{ searches: Kept[] }>("GET", "api/searches")).searches,
  keep: (name: string, source: string, query: string) => json<Kept>("POST", "api/searches", { name, source, query }),
  rename: (name: string, to: string) => json<Kept>("PATCH", named(name), { name: to }),
  forget: (name: string) => json<object>("DELETE", named(name)),
  mark: (name: string, marks: Record<string, Mark | null>, filters: string) => json<Taught>("POST", `${named(name)}/marks`, { marks, filters, limit: PAGE }),
  step: (name: string, which: "undo" | "redo", filters: string) => json<Taught>("POST", `${named(name)}/${which}`, { filters, limit: PAGE }),
  taught: (name: string, query: URLSearchParams, signal?: AbortSignal) => json<Taught>("GET", `${named(name)}/results?${query}`, undefined, signal),
  labels: (name: string, right: string) => file("GET", `${named(name)}/labels.csv?${new URLSearchParams({ right })}`),

  export: (wanted: object) => file("POST", "api/export", wanted),
};

/** A file that the server makes, and the name that it gives it. */
async function file(method: Method, path: string, body?: object): Promise<{ name: string; content: Blob }> {
  const answer = await send(method, path, body, undefined);
  const named = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
  return { name: decodeURIComponent(named?.[1] ?? "export"), content: await answer.blob() };
}

/** The address of an item's picture, `side` pixels wide at most. */
export function thumb(item: Pick<Item, "thumb">, side: 128 | 256 | 512): string {
  return `${item.thumb}&side=${side}`;
}
