/** What a pool serves without a record of it, and the numbers that were ever given. Pure. */
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Service } from '../record/kube-objects.ts';
import type { Observed } from './observed.ts';
import type { Revision } from '../record/revision.ts';

/** A revision that serves, and whose record no cache shows. */
export interface LostRevision {
  number: number;
  version?: string;
}

/** A label that others scribbled over is no revision's number. */
const LARGEST = 1_000_000_000;

export function isNumber(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < LARGEST;
}

/** Where any of what tells a served revision's number is of a recorded one, others scribbled over the rest. */
export function lostRevision(
  revisions: readonly Revision[],
  deployment: Observed['deployments'][number] | undefined,
  service: Service | undefined,
): LostRevision | undefined {
  const told = [
    deployment?.spec.template.metadata?.labels?.[LABEL.revision],
    deployment?.metadata.labels?.[LABEL.revision],
    service?.metadata.annotations?.[ANNOTATION.revision],
  ];
  const numbers = told.map(Number).filter(isNumber);
  const [number] = numbers;
  if (number === undefined || revisions.some((revision) => numbers.includes(revision.number))) return undefined;
  const { annotations } = (deployment ?? service)?.metadata ?? {};
  const version = annotations?.[ANNOTATION.version];
  return { number, ...(version !== undefined && { version }) };
}

/** The numbers that something of the release carries, recorded or not: none of them is another revision's ever. */
export function usedNumbers({ deployments, services, rollbacks }: Observed): number[] {
  const run = deployments.map(({ metadata }) => metadata.labels?.[LABEL.revision]);
  const noted = services.map(({ metadata }) => metadata.annotations?.[ANNOTATION.revision]);
  const held = rollbacks.flatMap(({ status }) => [
    status?.heldAgainst,
    ...(status?.pools ?? []).flatMap(({ from, to }) => [from, to]),
  ]);
  return [...run, ...noted, ...held].map(Number).filter(isNumber);
}
