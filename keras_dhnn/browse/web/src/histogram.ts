// Where the list is cut: by the distances of all tiles to the query, or by the scores that were taught.

import { Cut, rightWords, type Bars } from "./cut";
import { button, h } from "./dom";
import type { Page } from "./page";
import type { Found, ScoreHistogram } from "./types";
import { count, percent } from "./words";

export class Histogram {
  readonly element: HTMLElement;
  private readonly title = h("h2");
  private readonly bits = h("span");
  private readonly distances: Cut;
  private readonly scores: Cut;
  private readonly legend = h("p", { class: "hint legend" });
  private readonly all = button("Show all", () => this.page.show({ radius: null, score: null }, true), { class: "link" });

  constructor(private readonly page: Page) {
    this.distances = new Cut("Cut-off: largest distance in bits", ["0", "bits that differ", this.bits], (at) => this.cutDistance(at - 1));
    this.scores = new Cut("Cut-off: least score", ["0", "score", "1"], (at) => this.cutScore(at));
    this.element = h("section", { class: "card", hidden: true, attrs: { "aria-label": "Cut-off" } }, this.title, this.distances.element, this.scores.element, this.legend, this.all);
    page.listing.listed.on(({ state, found, taught, kind }) => {
      if (state === "loading") return;
      const learned = kind === "taught" ? (taught?.histogram ?? null) : null;
      this.element.hidden = !found && !learned;
      this.distances.element.hidden = !found;
      this.scores.element.hidden = !learned;
      if (found) this.showDistances(found);
      else if (learned) this.showScores(learned);
    });
  }

  private showDistances(found: Found): void {
    const { bits, precision } = found;
    const { radius } = this.page.view.value;
    this.title.textContent = "Distances";
    this.bits.textContent = String(bits);
    this.legend.textContent = "share expected right at each distance";
    this.legend.hidden = !precision;
    this.all.hidden = radius === null;
    this.distances.show(distanceBars(found), (radius ?? bits) + 1);
  }

  private showScores(learned: ScoreHistogram): void {
    const { score } = this.page.view.value;
    this.title.textContent = "Scores";
    this.legend.textContent = "share of right marks from each score on";
    this.legend.hidden = !learned.estimated.some((each) => each.estimate !== null);
    this.all.hidden = score === null;
    this.scores.show(scoreBars(learned), Math.ceil((score ?? 0) * learned.counts.length - 1e-6));
  }

  private cutDistance(distance: number): void {
    const radius = distance === this.page.about.bits ? null : distance;
    if (radius !== this.page.view.value.radius) this.page.show({ radius }, true);
  }

  private cutScore(at: number): void {
    const edges = this.page.listing.listed.value.taught?.histogram?.edges ?? [];
    const score = at === 0 ? null : (edges[at] ?? null);
    if (score !== this.page.view.value.score) this.page.show({ score }, true);
  }
}

function sum(counts: number[]): number {
  return counts.reduce((total, number) => total + number, 0);
}

function distanceBars({ histogram, bits, precision, expected, background }: Found): Bars {
  return {
    counts: histogram,
    curve: precision,
    keeps: "left",
    label: `Distances of ${count(sum(histogram), "tile")}, from 0 to ${bits} bits, on a logarithmic scale`,
    value: (at) => at - 1,
    words: (at) => {
      const kept = sum(histogram.slice(0, at));
      const right = kept ? rightWords(expected?.[at - 1], "expected right") : [];
      const random = !precision && background && at <= bits ? [`${percent(background[at - 1] ?? 0)} of random pairs are as near`] : [];
      return [`Up to ${at - 1} of ${bits} bits: ${count(kept, "tile")}`, ...right, ...random];
    },
  };
}

function scoreBars({ counts, edges, estimated }: ScoreHistogram): Bars {
  return {
    counts,
    curve: estimated.map((each) => each.estimate),
    keeps: "right",
    label: `Scores of ${count(sum(counts), "tile")}, from 0 to 1, on a logarithmic scale`,
    value: (at) => edges[at] ?? 1,
    words: (at) => {
      const { estimate, marked } = estimated[at] ?? { estimate: null, marked: 0 };
      const right = rightWords(estimate, `of ${count(marked, "marked one")} right`);
      return [`Score ${(edges[at] ?? 1).toFixed(2)} or more: ${count(sum(counts.slice(at)), "tile")}`, ...right];
    },
  };
}
