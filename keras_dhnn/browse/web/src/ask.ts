// The ways to ask: a picture that is dropped, chosen or pasted, an id, a box on a scene; and what was asked.

import { api, inWords } from "./api";
import { strip } from "./bits";
import { button, fill, h } from "./dom";
import { icon } from "./icons";
import type { Page } from "./page";
import { SceneDialog } from "./scene";
import { Trouble } from "./status";
import type { Asked, Uploaded } from "./types";
import { count, othersOf, shortName } from "./words";
import { hasQuery, NO_QUERY } from "./view";

export class Ask {
  readonly element: HTMLElement;
  private readonly asked = h("div", { class: "asked", hidden: true });
  private readonly trouble = new Trouble();
  private readonly chooser = h("input", { type: "file", class: "unseen", id: "file", accept: "image/*,.tif,.tiff,.jp2", on: { change: () => this.choose() } });
  private readonly scenes: SceneDialog;

  constructor(private readonly page: Page) {
    this.scenes = new SceneDialog(page, (uploaded) => this.use(uploaded));
    const drop = h("label", { class: "drop", attrs: { for: "file" } }, icon("picture"), h("span", {}, "Drop, paste or choose a picture"));
    const box = button("Draw a box on a scene", () => void this.scenes.open(), { class: "button wide" });
    box.prepend(icon("box"));
    box.hidden = !page.about.sources.some((source) => source.scenes > 0);
    const upload = page.about.upload;
    const no = upload.state === "no";
    this.element = h("section", { class: "card", attrs: { "aria-label": "Query" } }, h("h2", {}, "Query"), this.asked, this.chooser, no ? h("p", { class: "hint" }, upload.message) : drop, this.idForm(), !no && box, this.trouble.element);
    this.chooser.disabled = no;
    if (!no) this.listen();
    page.listing.listed.on((listed) => {
      if (listed.state !== "loading") this.show(listed.query, listed.state === "ready");
    });
    page.view.on(() => this.trouble.clear());
  }

  private idForm(): HTMLElement {
    const field = h("input", { type: "text", class: "field", placeholder: "Id of a tile", autocomplete: "off", spellcheck: false, attrs: { "aria-label": "Id of a tile" } });
    const submit = (event: Event): void => {
      event.preventDefault();
      if (field.value.trim()) this.page.like({ id: field.value.trim() });
    };
    return h("form", { class: "row", on: { submit } }, field, h("button", { type: "submit", class: "button" }, "Find"));
  }

  private show(asked: Asked | null, ready: boolean): void {
    const view = this.page.view.value;
    this.asked.hidden = !ready || !hasQuery(view);
    const back = button("Back to all tiles", () => this.page.show(NO_QUERY), { class: "link" });
    if (!asked) {
      fill(this.asked, h("div", {}, h("p", { class: "hint" }, "What this search began from is not there any more. Its marks are."), back));
      return;
    }
    const picture = asked.thumb ? h("img", { src: `${asked.thumb}&side=256`, alt: `The query, ${asked.name}` }) : h("span", { class: "no-picture" }, "a code without a picture");
    const others = othersOf(view);
    const words = h("div", { class: "asked-words" }, h("strong", { title: asked.name }, shortName(asked.name)), asked.label && h("span", {}, asked.label), others !== "" && h("span", { class: "hint" }, others));
    fill(this.asked, picture, h("div", {}, words, h("div", { class: "code", title: asked.code }, strip(asked.code), h("code", {}, asked.code)), back));
  }

  private listen(): void {
    const target = document.documentElement;
    let over = 0;
    const isFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const mark = (by: number): void => {
      over = Math.max(0, over + by);
      target.toggleAttribute("data-dropping", over > 0);
    };
    target.addEventListener("dragenter", (event) => isFile(event) && mark(1));
    target.addEventListener("dragleave", (event) => isFile(event) && mark(-1));
    target.addEventListener("dragover", (event) => isFile(event) && event.preventDefault());
    target.addEventListener("drop", (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      mark(-over);
      void this.upload(event.dataTransfer?.files[0]);
    });
    document.addEventListener("paste", (event) => {
      const file = event.clipboardData?.files[0];
      if (file) void this.upload(file);
    });
  }

  private choose(): void {
    const file = this.chooser.files?.[0];
    this.chooser.value = "";
    void this.upload(file);
  }

  private async upload(file: File | undefined): Promise<void> {
    if (!file) return;
    this.trouble.clear();
    const { bytes } = this.page.about.limits;
    if (file.size > bytes) {
      this.trouble.show(`${file.name} has ${count(Math.ceil(file.size / 2 ** 20))} MiB; at most ${count(bytes / 2 ** 20)} MiB are taken. Cut out the part that matters, or make it smaller.`);
      return;
    }
    const loading = this.page.about.upload.state === "loading" ? " The model may still be loading." : "";
    try {
      const uploaded = await this.page.status.during(`Encoding ${file.name}…${loading}`, api.upload(this.page.querySource().name, file.name || "pasted.png", file));
      this.use(uploaded);
    } catch (error) {
      this.trouble.show(inWords(error));
    }
  }

  private use(uploaded: Uploaded): void {
    this.page.show({ ...NO_QUERY, upload: uploaded.upload });
  }
}
