import type uPlot from 'uplot'
import { BINARY_STEPS, top } from './scale'

/** One line of a chart. */
export interface ChartSeries {
  readonly label: string
  /** Which of the colours of charts, from 1; the series' number without it. */
  readonly color?: number
  /** Whether the area below is tinted. */
  readonly isFilled?: boolean
}

/** What a chart is drawn with, as the browser has resolved it. */
export interface ChartColors {
  readonly series: readonly string[]
  readonly text: string
  readonly grid: string
}

/** Where a chart's plot stands in its box, in pixels, and the values at its bottom and top. */
export interface PlotBox {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  readonly min: number
  readonly max: number
}

/** What a chart's look depends on. It is asked again each time it is drawn. */
export interface ChartLook {
  readonly series: readonly ChartSeries[]
  readonly isStacked: boolean
  /** Whether values are counted in twos, as bytes are. */
  readonly isBinary: boolean
  /** The top of the plot; by the highest value without it. */
  readonly max: number | undefined
  /** What the top is at least. */
  readonly floor: number
  /** So many are shown at most. */
  readonly seconds: number
  format(value: number): string
  colors(): ChartColors
}

/** So many seconds are shown at least. */
const SHORTEST = 60
/** Pixels that a letter of the axes takes, and their line. */
const LETTER = 6.6
const FONT = '11px system-ui, sans-serif'

/** The options of uPlot for one chart: time from left to right, values from zero upwards, a legend of our own. */
export function chartOptions(look: ChartLook, size: { width: number; height: number }, hooks: uPlot.Hooks.Arrays): uPlot.Options {
  const axis = { stroke: () => look.colors().text, font: FONT, ticks: { show: false } }
  const grid = { stroke: () => look.colors().grid, width: 1 }
  return {
    ...size,
    hooks,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 }, y: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { time: true, range: (_, min, max) => [Math.max(max - look.seconds, Math.min(min, max - SHORTEST)), max] },
      y: { range: (_, _min, max) => [0, look.max ?? top(max, look.floor, look.isBinary)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 70, values: '{HH}:{mm}:{ss}' },
      {
        ...axis,
        grid,
        gap: 6,
        space: 32,
        size: (_, values) => Math.ceil(Math.max(3, ...((values as readonly string[] | null) ?? []).map(({ length }) => length)) * LETTER) + 10,
        values: (_, splits) => splits.map((split) => look.format(split)),
        ...(look.isBinary && { incrs: [...BINARY_STEPS] }),
      },
    ],
    series: [
      {},
      ...look.series.map(({ label, isFilled = false }, index) => ({
        label,
        width: 1.5,
        points: { show: false },
        stroke: () => look.colors().series[index] ?? look.colors().text,
        ...((isFilled || look.isStacked) && { fill: () => tint(look.colors().series[index] ?? look.colors().text) }),
      })),
    ],
    // The area of a stacked series ends at the one below it.
    ...(look.isStacked && { bands: look.series.slice(1).map((_, index) => ({ series: [index + 2, index + 1] as [number, number] })) }),
  }
}

function tint(color: string): string {
  return `color-mix(in oklab, ${color} 22%, transparent)`
}

/** What the browser makes of a token where `host` stands: a canvas knows neither variables nor themes. */
export function resolveColor(host: HTMLElement, token: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${token})`
  host.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
