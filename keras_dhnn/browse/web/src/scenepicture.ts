// The picture of a scene on the map, in its four corners: scenes are seldom parallel to the map's sides.

import L from "leaflet";

type Corners = [longitude: number, latitude: number][];

export class ScenePicture extends L.ImageOverlay {
  private readonly corners: L.LatLng[];

  constructor(url: string, corners: Corners, alt: string) {
    const places = corners.map(([longitude, latitude]) => L.latLng(latitude, longitude));
    super(url, L.latLngBounds(places), { alt, interactive: false });
    this.corners = places;
  }

  /** Leaflet calls it after every move and zoom: lays the picture's upper left, upper right and lower left corners. */
  _reset(): void {
    const image = this.getElement();
    const map = this._map;
    const [left, right, , below] = this.corners.map((corner) => map.latLngToLayerPoint(corner));
    if (!image || !left || !right || !below) return;
    const side = 256;
    Object.assign(image.style, { width: `${side}px`, height: `${side}px`, transformOrigin: "0 0" });
    const matrix = [right.x - left.x, right.y - left.y, below.x - left.x, below.y - left.y].map((value) => value / side);
    image.style.transform = `matrix(${matrix.join(",")},${left.x},${left.y})`;
  }
}
