import type { MapCoords, Packed } from "./payload.ts";

export type Numbers = Uint8Array | Uint16Array | Uint32Array;

const WIDTH = { u8: 1, u16: 2, u32: 4, f32: 4, f64: 8 } as const;

/** Whether this machine stores the least byte first, as the data do. */
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Decode little-endian numbers. */
export function unpack(packed: Packed): Numbers {
  if (packed.dtype === "f32" || packed.dtype === "f64")
    throw new Error(`dtype must be u8, u16 or u32; got ${packed.dtype}`);
  const bytes = bytesOf(packed);
  if (packed.dtype === "u8") return bytes;
  if (LITTLE_ENDIAN) {
    return packed.dtype === "u16" ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
  }
  const view = new DataView(bytes.buffer);
  const length = bytes.length / WIDTH[packed.dtype];
  if (packed.dtype === "u16") {
    return Uint16Array.from({ length }, (_, i) => view.getUint16(2 * i, true));
  }
  return Uint32Array.from({ length }, (_, i) => view.getUint32(4 * i, true));
}

/** Decode base64 of little-endian floats. */
export function unpackFloats(packed: Packed): Float64Array {
  const view = new DataView(bytesOf(packed).buffer);
  const width = WIDTH[packed.dtype];
  return Float64Array.from({ length: view.byteLength / width }, (_, i) =>
    width === 4 ? view.getFloat32(4 * i, true) : view.getFloat64(8 * i, true),
  );
}

function bytesOf(packed: Packed): Uint8Array<ArrayBuffer> {
  const width = WIDTH[packed.dtype];
  if (!width) throw new Error(`dtype must be u8, u16 or u32; got ${packed.dtype}`);
  const bytes = decode(packed.data);
  if (bytes.length % width) {
    throw new Error(`${bytes.length} bytes are no whole number of ${packed.dtype}`);
  }
  return bytes;
}

/** Newer browsers decode base64 themselves, many times faster. */
const native = Uint8Array as typeof Uint8Array & {
  fromBase64?: (text: string) => Uint8Array<ArrayBuffer>;
};

/** The bytes of base64, or a copy of bytes. */
export function decode(text: Packed["data"]): Uint8Array<ArrayBuffer> {
  // A copy, which begins where numbers of any width may begin.
  if (typeof text !== "string") return text.slice();
  if (native.fromBase64) return native.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** Decode as shares: 0..255 stands for 0..1. */
export function unpackShares(packed: Packed): Float32Array {
  const bytes = unpack(packed);
  const shares = new Float32Array(bytes.length);
  for (let i = 0; i < shares.length; i++) shares[i] = (bytes[i] as number) / 255;
  return shares;
}

/** Decode shares of k neighbors: what a byte stands for is a multiple of 1/k, if one is that near. */
export function unpackHits(packed: Packed, k: number | undefined): Float32Array {
  if (!k) return unpackShares(packed);
  const values = Float32Array.from({ length: 256 }, (_, byte) => {
    const whole = Math.round((byte / 255) * k) / k;
    // Of neighbors at the same distance some count in part.
    return Math.abs(whole * 255 - byte) <= 0.5 + 1e-6 ? whole : byte / 255;
  });
  const bytes = unpack(packed);
  const hits = new Float32Array(bytes.length);
  for (let i = 0; i < hits.length; i++) hits[i] = values[bytes[i] as number] as number;
  return hits;
}

/** Coordinates of one map, fitted with equal aspect into the square from -1 to 1. */
export interface Coords {
  x: Float32Array;
  y: Float32Array;
  /** From the map's own units: (value - center) * scale. */
  center: [number, number];
  scale: number;
}

/** Share of the square's half side that the points fill: the rest is margin. */
const FILL = 0.94;

export function unpackCoords(map: MapCoords): Coords {
  const center: [number, number] = [
    (map.xRange[0] + map.xRange[1]) / 2,
    (map.yRange[0] + map.yRange[1]) / 2,
  ];
  const xSpan = map.xRange[1] - map.xRange[0];
  const ySpan = map.yRange[1] - map.yRange[0];
  const span = Math.max(xSpan, ySpan);
  const scale = span > 0 ? (2 * FILL) / span : 1;
  return {
    x: spread(map.x, xSpan * scale),
    y: spread(map.y, ySpan * scale),
    center,
    scale,
  };
}

function spread(packed: Packed, span: number): Float32Array {
  const numbers = unpack(packed);
  const out = new Float32Array(numbers.length);
  for (let i = 0; i < out.length; i++) out[i] = ((numbers[i] as number) / 65535 - 0.5) * span;
  return out;
}
