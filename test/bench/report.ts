// The table: each figure beside its aim.
import type { FleetResult, Phase, PhaseResult } from './fleet.ts';
import { PHASES } from './fleet.ts';
import type { FirstAnswers } from './plugin.ts';
import type { Request } from './requests.ts';
import type { ManyResult } from './many.ts';
import { countRequests, isSeries, isStanding, isWrite } from './requests.ts';
import type { RoomCost } from './room.ts';
import type { Footprint } from './standing.ts';
import type { WarmRollbacks } from './switching.ts';

export interface Results {
  /** (a) */
  warmRollbacks?: WarmRollbacks;
  /** (b) and (c) */
  fleet?: FleetResult;
  /** (d) */
  idle?: { seconds: number; releases: number; requests: Request[] };
  /** (e) */
  footprints?: Footprint[];
  /** (g) */
  room?: RoomCost;
  /** (h) */
  many?: ManyResult;
  /** (p) */
  firstAnswers?: FirstAnswers;
}

/** One line of the table. */
export interface Row {
  part: string;
  what: string;
  figure: string;
  aim?: string;
  met?: boolean;
}

const AIM = {
  besideClient: 2.5,
  besideLoop: 2,
  besideDeployments: 1.3,
  requests: { converge: 9.49, switch: 11.01, 'roll back': 11 },
  cpuMs: 12,
  baseMB: 170,
  perReleaseKB: 50,
  countMs: 10,
  stallMs: 250,
  manyMB: 400,
  lastBesideFirst: 1.2,
  amongBesideAlone: 1.5,
  besideKubectl: 2.5,
} as const;

export function toRows(
  { warmRollbacks, fleet, idle, footprints, room, many, firstAnswers }: Results,
  releases: number,
): Row[] {
  return [
    ...(warmRollbacks ? warmRows(warmRollbacks) : []),
    ...(fleet ? [...fleetRows(fleet, releases), ...requestRows(fleet, releases)] : []),
    ...(idle ? idleRows(idle) : []),
    ...(footprints ? footprintRows(footprints) : []),
    ...(room ? roomRows(room) : []),
    ...(many ? manyRows(many) : []),
    ...(firstAnswers ? answerRows(firstAnswers) : []),
  ];
}

function warmRows({ switched, shown, bare }: WarmRollbacks): Row[] {
  const what = `warm rollback over 5 pools, created → all`;
  const [p50, client] = [quantile(switched, 0.5), quantile(bare, 0.5)];
  const factor = p50 / client;
  const aim = `≤ ${AIM.besideClient} × bare client`;
  return [
    row(
      'a',
      `${what} selectors, p50`,
      `${ms(p50)}, ${x(factor)} a bare client (${ms(client)})`,
      aim,
      factor <= AIM.besideClient,
    ),
    row('a', `${what} selectors, p99`, `${ms(quantile(switched, 0.99))} (bare client ${ms(quantile(bare, 0.99))})`),
    row('a', `${what} EndpointSlices, p50`, ms(quantile(shown, 0.5))),
    row('a', `${what} EndpointSlices, p99`, ms(quantile(shown, 0.99))),
  ];
}

function answerRows({ plugin, kubectl }: FirstAnswers): Row[] {
  const [own, other] = [quantile(plugin, 0.5), quantile(kubectl, 0.5)];
  const aim = `≤ ${AIM.besideKubectl} × kubectl`;
  const figure = `${ms(own)}, ${x(own / other)} kubectl get (${ms(other)})`;
  return [row('p', 'kubectl apprelease list, p50', figure, aim, own / other <= AIM.besideKubectl)];
}

function fleetRows({ phases, loops }: FleetResult, releases: number): Row[] {
  const loop = quantile(loops, 0.5);
  return PHASES.flatMap((phase) => {
    const { releases: took, switched, deployments } = phases[phase];
    const beside = `(plain Deployments ${s(deployments)})`;
    if (phase !== 'roll back') {
      const factor = took / deployments;
      const aim = `≤ ${AIM.besideDeployments} × Deployments`;
      return [
        row(
          'b',
          `${releases} releases: ${phase}`,
          `${s(took)}, ${x(factor)} ${beside}`,
          aim,
          factor <= AIM.besideDeployments,
        ),
      ];
    }
    const factor = switched / loop;
    return [
      row(
        'b',
        `${releases} releases: roll all back, selectors`,
        `${s(switched)}, ${x(factor)} the bare loop ${beside}`,
        `≤ ${AIM.besideLoop} × bare loop`,
        factor <= AIM.besideLoop,
      ),
      loopRow(loops, releases),
      row('b', `${releases} releases: roll all back, statuses say so`, s(took)),
    ];
  });
}

function requestRows({ phases }: FleetResult, releases: number): Row[] {
  return PHASES.flatMap((phase) => {
    const { requests, cpuSeconds, parsingMs } = phases[phase];
    const each = requests.length / releases;
    const writes = requests.filter(isWrite).length / releases;
    const cpuMs = (cpuSeconds * 1000) / releases;
    const aim = AIM.requests[phase];
    return [
      row(
        'c',
        `operator's requests for each release: ${phase}`,
        `${each.toFixed(2)} (${writes.toFixed(2)} writes)`,
        `≤ ${aim}`,
        Number(each.toFixed(2)) <= aim,
      ),
      row(
        'c',
        `operator's CPU for each release: ${phase}`,
        `${ms(cpuMs)} (a fixed loop of JSON parsing: ${ms(quantile(parsingMs, 0.5))})`,
        `≤ ${AIM.cpuMs} ms`,
        cpuMs <= AIM.cpuMs,
      ),
    ];
  });
}

/** By verb and resource, below the table. */
export function requestDetails({ phases }: FleetResult, releases: number): string[] {
  return PHASES.flatMap((phase: Phase) => {
    const { requests, dispatched, passes }: PhaseResult = phases[phase];
    return [
      `${phase}: ${requests.length} requests by the audit log; ${dispatched} by apiserver_flowcontrol_dispatched_requests_total, watches and the lease included; ${(passes / releases).toFixed(1)} passes over each release`,
      ...Object.entries(countRequests(requests)).map(
        ([what, count]) => `  ${(count / releases).toFixed(2).padStart(7)}  ${what}`,
      ),
    ];
  });
}

function idleRows({ seconds, releases, requests }: NonNullable<Results['idle']>): Row[] {
  const series = requests.filter(isSeries).length;
  const other = requests.filter((request) => !isStanding(request) && !isSeries(request));
  const writes = other.filter(isWrite);
  const watches = requests.filter(({ verb }) => verb === 'watch').length;
  const lease = requests.length - other.length - watches - series;
  return [
    row('d', `${seconds} idle seconds, ${releases} releases: writes`, String(writes.length), '0', writes.length === 0),
    row(
      'd',
      `${seconds} idle seconds, ${releases} releases: requests`,
      `${other.length} (and ${watches} watches begun, ${lease} for the lease, ${series} counts of earlier events)`,
      '0',
      other.length === 0,
    ),
  ];
}

function footprintRows(footprints: readonly Footprint[]): Row[] {
  const rows = footprints.map(({ releases, when, residentMB, peakMB, cpuSeconds, heapMB }, index) => {
    const base = index > 0 && releases <= 200;
    const label = `${releases} releases${when === '' ? '' : `, ${when}`}: resident memory`;
    const figure = `${residentMB.toFixed(0)} MB, ${heapMB.toFixed(0)} of them in use (so far ${peakMB.toFixed(0)} MB at most, ${cpuSeconds.toFixed(1)} s of CPU)`;
    return base ? row('e', label, figure, `≤ ${AIM.baseMB} MB`, residentMB <= AIM.baseMB) : row('e', label, figure);
  });
  const [before, last] = footprints.slice(-2);
  if (!before || !last || last.releases <= before.releases) return rows;
  const each = ((last.residentMB - before.residentMB) * 1000) / (last.releases - before.releases);
  return [
    ...rows,
    row('e', 'each further release', `${each.toFixed(0)} KB`, `≤ ${AIM.perReleaseKB} KB`, each <= AIM.perReleaseKB),
  ];
}

function loopRow(loops: readonly number[], releases: number): Row {
  const [least, middle, most] = [Math.min(...loops), quantile(loops, 0.5), Math.max(...loops)];
  return row(
    'b',
    `${releases} times the same three writes in a bare loop`,
    `${s(middle)} (${s(least)} to ${s(most)} in ${loops.length})`,
  );
}

function manyRows({ releases, withService, steps, footprint, alone, among }: ManyResult): Row[] {
  const what = `${releases} releases in one namespace (${withService} with a Service)`;
  const each = steps.map(({ cpuSeconds }) => cpuSeconds * 1000);
  const [first = Number.NaN, last = Number.NaN] = [each[0], each.at(-1)];
  const [p50, lonely] = [quantile(among.switched, 0.5), quantile(alone.switched, 0.5)];
  return [
    row(
      'h',
      `${what}: resident memory`,
      `${footprint.residentMB.toFixed(0)} MB (so far ${footprint.peakMB.toFixed(0)} MB at most)`,
      `≤ ${AIM.manyMB} MB`,
      footprint.residentMB <= AIM.manyMB,
    ),
    row(
      'h',
      `${what}: CPU for each of the last beside the first`,
      `${x(last / first)} (${each.map((one) => one.toFixed(1)).join(', ')} ms)`,
      `≤ ${AIM.lastBesideFirst} ×`,
      last / first <= AIM.lastBesideFirst,
    ),
    row(
      'h',
      `${what}: warm rollback over 5 pools among them, p50`,
      `${ms(p50)}, ${x(p50 / lonely)} alone (${ms(lonely)})`,
      `≤ ${AIM.amongBesideAlone} × alone`,
      p50 / lonely <= AIM.amongBesideAlone,
    ),
  ];
}

function roomRows({ vms, pools, pods, counts, passes }: RoomCost): Row[] {
  const what = `${vms} VMs, ${pools} pools, ${pods} pods`;
  const count = quantile(counts, 0.5);
  const stall = Math.max(...passes);
  return [
    row('g', `${what}: count room for a stage, p50`, ms(count), `≤ ${AIM.countMs} ms`, count <= AIM.countMs),
    row('g', `${what}: longest stall of a pass`, ms(stall), `≤ ${AIM.stallMs} ms`, stall <= AIM.stallMs),
  ];
}

function row(part: string, what: string, figure: string, aim?: string, met?: boolean): Row {
  return { part, what, figure, ...(aim !== undefined && { aim }), ...(met !== undefined && { met }) };
}

/** The table as text. */
export function formatRows(rows: readonly Row[]): string {
  const cells = rows.map(({ part, what, figure, aim = '', met }) => [
    part,
    what,
    figure,
    aim,
    met === undefined ? '' : met ? 'met' : 'NOT MET',
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The value below which a share of the sorted values lies (nearest rank). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function s(seconds: number): string {
  return `${seconds.toFixed(2)} s`;
}

function x(factor: number): string {
  return `${factor.toFixed(2)} ×`;
}
