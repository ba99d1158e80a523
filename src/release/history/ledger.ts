/** The ledger: version → digests, the last valid topology, and the wanted revision. It outlives the revisions. Pure. */
import { ANNOTATION } from '../../api/meta.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { keptBy } from '../../lib/once.ts';
import { own } from '../../lib/own.ts';
import type { Action, Notice } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { ledgerName } from '../record/names.ts';
import type { Ledger, Loosened, PinnedImage, Topology } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import { knownPins, LEDGER_BYTES } from '../record/revision.ts';
import { loosenedGates } from '../stages/loosened-gates.ts';
import { wantedRevision } from '../state/target.ts';
import type { Rollout } from '../state/view.ts';
import { askedNow, topologyInEffect, unusedSizes } from './recorded-sizes.ts';

/** Writes the topology, for rollbacks while the spec is not valid, and the number of the wanted revision. */
export function reconcileLedger(view: Rollout): Action[] {
  const { ledgerObject, record } = view;
  const topology = topologyInEffect(view);
  const annotations: Record<string, string> = {};
  const notices: Notice[] = [];
  if (view.spec && !(record.topology && isSameTopology(topology, record.topology))) {
    annotations[ANNOTATION.topology] = JSON.stringify(topology);
    notices.push(...unusedSizes(view));
    const left = newestOf(record.ledger, LEDGER_BYTES - sizeOf(topology));
    if (sizeOf(left) < sizeOf(record.ledger)) annotations[ANNOTATION.ledger] = JSON.stringify(left);
    const gates = record.topology ? loosenedGates(view.owner.name, record.topology, topology) : [];
    if (gates.length > 0) {
      annotations[ANNOTATION.loosened] = JSON.stringify(withLoosened(view, gates));
      notices.push({ type: 'Warning', reason: 'GatesLoosened', note: gates.join('; ').slice(0, 1000) });
    }
  }
  const asked = askedNow(view);
  if (asked) annotations[ANNOTATION.askedSizes] = JSON.stringify(asked);
  const last = view.revisions.at(-1);
  const wanted = wantedRevision(view);
  if (
    wanted &&
    last &&
    wanted !== view.revisions.find(({ number }) => number === (lastWantedNumber(view) ?? last.number))
  ) {
    annotations[ANNOTATION.wanted] = JSON.stringify({ revision: wanted.number, newest: last.number });
  }
  return writeLedger(view, annotations, ledgerObject ? 'update the ledger' : 'create the ledger').map((action) => ({
    ...action,
    ...(notices.length > 0 && { notices }),
  }));
}

/** What LEDGER_BYTES leaves of the API server's limit. */
const LOOSENED_BYTES = 4 * 1024;
const LOOSENED_GATES = 16;

/** The recorded changes that loosened gates and this one; the oldest go first. */
function withLoosened(view: Rollout, gates: readonly string[]): Loosened[] {
  const { record, wanted, revisions, now } = view;
  const next = wanted.state === 'New' ? wanted.number : (revisions.at(-1)?.number ?? 0) + 1;
  const revision = wantedRevision(view)?.number ?? next;
  const all = [
    ...record.loosened,
    { at: new Date(now).toISOString(), revision, gates: gates.slice(0, LOOSENED_GATES) },
  ];
  const first = all.findIndex((_entry, index) => sizeOf(all.slice(index)) <= LOOSENED_BYTES);
  return all.slice(first);
}

/** Compared once for the same objects, because every pass asks. */
const compared = keptBy<boolean>();

function isSameTopology(topology: Topology, recorded: Topology): boolean {
  return compared([topology, recorded], '', () => canonicalJson(topology) === canonicalJson(recorded));
}

function lastWantedNumber({ record, revisions }: Rollout): number | undefined {
  return record.wanted?.newest === revisions.at(-1)?.number ? record.wanted?.revision : undefined;
}

export function writeLedger(view: Rollout, annotations: Record<string, string>, message: string): Action[] {
  const { ledgerObject, observed } = view;
  if (Object.keys(annotations).length === 0) return [];
  if (!ledgerObject && observed.memory.nameConflicts.has(`ControllerRevision/${ledgerName(view.owner.name)}`))
    return [];
  return ledgerObject
    ? [{ kind: 'AnnotateRevision', message, target: targetOf(ledgerObject), annotations }]
    : [{ kind: 'CreateLedger', message, name: ledgerName(view.owner.name), annotations }];
}

/** The ledger with these pins added; undefined if they do not fit, even without all other versions. */
export function ledgerWith(
  { record }: Rollout,
  version: string,
  pins: Record<string, PinnedImage>,
): Ledger | undefined {
  const { [version]: _earlier, ...others } = record.ledger;
  const added: Ledger = { [version]: { ...own(record.ledger, version), ...pins } };
  const room = LEDGER_BYTES - sizeOf(record.topology ?? {}) - sizeOf(added);
  return room < 0 ? undefined : { ...newestOf(others, room), ...added };
}

/** The newest versions of a ledger that fit into `bytes`. */
function newestOf(ledger: Ledger, bytes: number): Ledger {
  let room = bytes;
  const kept = Object.entries(ledger)
    .toReversed()
    .filter(([name, images]) => {
      room -= sizeOf({ [name]: images });
      return room >= 0;
    });
  return Object.fromEntries(kept.toReversed());
}

function sizeOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** The pins of a revision that are neither in the ledger nor in a remaining revision of its version. */
export function lostPins(view: Rollout, { data }: Revision, left: readonly Revision[]): Record<string, PinnedImage> {
  const known = knownPins(data.input.version, left, view.record.ledger);
  return Object.fromEntries(Object.entries(data.images).filter(([image]) => own(known, image) === undefined));
}
