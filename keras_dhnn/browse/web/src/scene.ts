// Asks by a box that is drawn on a scene, with the pointer or the arrow keys.

import { api, inWords } from "./api";
import { button, fill, h } from "./dom";
import type { Page } from "./page";
import { Trouble } from "./status";
import type { Scene, Uploaded } from "./types";
import { sceneNames } from "./words";

interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}

export class SceneDialog {
  private readonly dialog: HTMLDialogElement;
  private readonly choice = h("select", { class: "field", on: { change: () => this.choose() }, attrs: { "aria-label": "Scene" } });
  private readonly picture = h("img", { alt: "", draggable: false });
  private readonly frame = h("div", { class: "scene-frame", on: { pointerdown: (event) => this.draw(event) } });
  private readonly box = h("div", { class: "scene-box", tabIndex: 0, attrs: { role: "application", "aria-roledescription": "box", "aria-label": "Box on the scene. Arrow keys move it, with Shift they change its size." }, on: { keydown: (event) => this.key(event) } });
  private readonly words = h("p", { class: "hint", attrs: { "aria-live": "polite" } });
  private readonly trouble = new Trouble();
  private readonly find = button("Find what is like it", () => void this.ask(), { class: "button primary" });
  private scenes: Scene[] = [];
  /** The box in shares of the scene. */
  private drawn: Rectangle = { left: 0.375, top: 0.375, width: 0.25, height: 0.25 };

  constructor(
    private readonly page: Page,
    private readonly use: (uploaded: Uploaded) => void,
  ) {
    this.frame.append(this.picture, this.box);
    const foot = h("div", { class: "row end" }, button("Cancel", () => this.dialog.close(), { class: "button" }), this.find);
    this.dialog = h("dialog", { class: "dialog scene", attrs: { "aria-label": "Draw a box on a scene" } }, h("h2", {}, "Draw a box on a scene"), this.choice, this.frame, this.words, this.trouble.element, foot);
    document.body.append(this.dialog);
  }

  async open(): Promise<void> {
    this.offer([]);
    this.words.textContent = "Opening the scenes…";
    this.trouble.clear();
    this.dialog.showModal();
    try {
      const scenes = await api.scenes(this.page.querySource().name);
      this.words.textContent = "";
      this.offer(scenes.filter((scene) => scene.width !== null));
      if (!this.scenes.length) this.trouble.show("None of this archive's scenes is where it was when it was encoded.");
      this.choose();
    } catch (error) {
      this.trouble.show(inWords(error));
    }
  }

  private offer(scenes: Scene[]): void {
    this.scenes = scenes;
    const names = sceneNames(scenes.map(({ scene }) => scene));
    fill(this.choice, ...scenes.map(({ scene }, at) => h("option", { value: scene }, names[at])));
    this.find.disabled = this.choice.hidden = this.frame.hidden = !scenes.length;
  }

  private get scene(): Scene | undefined {
    return this.scenes.find((scene) => scene.scene === this.choice.value);
  }

  private choose(): void {
    const scene = this.scene;
    if (!scene?.width || !scene.height) return;
    // Its place is kept before the picture comes.
    const ratio = scene.width / scene.height;
    Object.assign(this.frame.style, { width: `min(100%, ${56 * ratio}vh)`, aspectRatio: String(ratio) });
    this.picture.src = scene.overview;
    this.picture.alt = `The scene ${scene.scene}`;
    this.place();
  }

  private place(): void {
    const { left, top, width, height } = this.drawn;
    Object.assign(this.box.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * width}%`, height: `${100 * height}%` });
    const pixels = this.pixels();
    if (pixels) this.words.textContent = `${pixels.width} × ${pixels.height} pixels from row ${pixels.row}, column ${pixels.col}`;
  }

  private pixels(): { row: number; col: number; width: number; height: number } | undefined {
    const scene = this.scene;
    if (!scene?.width || !scene.height) return undefined;
    const { left, top, width, height } = this.drawn;
    return { row: Math.round(top * scene.height), col: Math.round(left * scene.width), width: Math.max(1, Math.round(width * scene.width)), height: Math.max(1, Math.round(height * scene.height)) };
  }

  private draw(event: PointerEvent): void {
    event.preventDefault();
    const { frame } = this;
    frame.setPointerCapture(event.pointerId);
    const at = (pointer: PointerEvent): [number, number] => {
      const box = frame.getBoundingClientRect();
      return [clamp((pointer.clientX - box.left) / box.width), clamp((pointer.clientY - box.top) / box.height)];
    };
    const [x, y] = at(event);
    const move = (pointer: PointerEvent): void => {
      const [right, bottom] = at(pointer);
      const size = { width: Math.abs(right - x), height: Math.abs(bottom - y) };
      if (size.width < 0.005 || size.height < 0.005) return;
      this.drawn = { left: Math.min(x, right), top: Math.min(y, bottom), ...size };
      this.place();
    };
    frame.addEventListener("pointermove", move);
    frame.addEventListener("pointerup", () => frame.removeEventListener("pointermove", move), { once: true });
  }

  private key(event: KeyboardEvent): void {
    const step = 0.02;
    const ways: Record<string, [number, number]> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const way = ways[event.key];
    if (event.key === "Enter") void this.ask();
    if (!way) return;
    event.preventDefault();
    const { left, top, width, height } = this.drawn;
    if (event.shiftKey) this.drawn = { left, top, width: within(width + way[0], step, 1 - left), height: within(height + way[1], step, 1 - top) };
    else this.drawn = { left: within(left + way[0], 0, 1 - width), top: within(top + way[1], 0, 1 - height), width, height };
    this.place();
  }

  private async ask(): Promise<void> {
    const [scene, pixels] = [this.scene, this.pixels()];
    if (!scene || !pixels) return;
    this.trouble.clear();
    this.find.disabled = true;
    try {
      this.use(await this.page.status.during("Encoding the box…", api.box({ source: this.page.querySource().name, scene: scene.scene, ...pixels })));
      this.dialog.close();
    } catch (error) {
      this.trouble.show(inWords(error));
    } finally {
      this.find.disabled = false;
    }
  }
}

function clamp(share: number): number {
  return within(share, 0, 1);
}

function within(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
