// Says numbers, dates and names as a reader expects them.

import type { Item } from "./types";
import type { View } from "./view";

const whole = new Intl.NumberFormat("en");

export function count(number: number, one?: string, many = `${one}s`): string {
  return one === undefined ? whole.format(number) : `${whole.format(number)} ${number === 1 ? one : many}`;
}

/** A share as per cent; those that would be rounded to nothing or all keep a digit more. */
export function percent(share: number): string {
  const hundred = 100 * share;
  const digits = (hundred > 0 && hundred < 1) || (hundred > 99 && hundred < 100) ? 1 : 0;
  return `${hundred.toFixed(digits)} %`;
}

export function day(time: string): string {
  return time.slice(0, 10);
}

/** So many days after a date; what is none, such as a date with a time of day, is null. */
export function daysAfter(date: string, days: number): string | null {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(date) + days * 86_400_000 : NaN;
  return Number.isNaN(time) ? null : day(new Date(time).toISOString());
}

const moment = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
const momentOfYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });

/** When something was, in this year with the time of day. */
export function when(time: string): string {
  const date = new Date(time);
  return (date.getFullYear() === new Date().getFullYear() ? moment : momentOfYear).format(date);
}

/** The last part of an id, which tells tiles apart; of a tile of a scene, that scene's name and where it begins. */
export function shortName(id: string): string {
  const [file = id, place] = id.split("#");
  if (place === undefined) return lastParts(id)[0] ?? id;
  return `${sceneName(file)} ${place.split("/").slice(-2).map((part) => part.replace(/^0+(?=\d)/, "")).join(", ")}`;
}

/** What is asked beside the first tile, of several that are liked or not. */
export function othersOf({ like, unlike }: View): string {
  const liked = like.length > 1 ? `and ${count(like.length - 1, "more tile")}` : "";
  const unliked = like.length && unlike.length ? `unlike ${count(unlike.length, "tile")}` : "";
  return [liked, unliked].filter(Boolean).join(", ");
}

/** What a picture shows, for those who do not see it. */
export function describe(item: Item, bits: number): string {
  const parts = [item.label ?? "without label", shortName(item.id)];
  if (item.distance !== undefined && item.distance !== null) parts.push(`${bits - item.distance} of ${bits} bits match`);
  if (item.score !== undefined) parts.push(`score ${item.score.toFixed(2)}`);
  if (item.mark) parts.push(`marked ${item.mark}`);
  return parts.join(", ");
}

/** Short names of scenes; where two would be the same, the whole ones. */
export function sceneNames(scenes: string[]): string[] {
  const names = scenes.map(sceneName);
  const twice = new Set(names.filter((name, at) => names.indexOf(name) !== at));
  return names.map((name, at) => (twice.has(name) ? (scenes[at] ?? name) : name));
}

/** A file's name; an asset's, which all items of a catalogue have, follows its item's. */
function sceneName(scene: string): string {
  const [last = scene, item] = lastParts(scene);
  return item === undefined || last.includes(".") ? last : `${item}/${last}`;
}

function lastParts(path: string): string[] {
  return path.split(/[\\/]/).filter(Boolean).reverse();
}
