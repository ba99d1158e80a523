/**
 * Reads the operator's records from objects that others can change too. Schemas check the shape, so that rules only see
 * valid data. Data that cannot be read counts as absent. Pure.
 */
import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { appReleaseSpec } from '../../api/app-release.ts';
import { podTemplate, poolTemplateSchema } from '../../api/pod-template.ts';
import { isObject, jsonFault, withoutNulls } from '../../lib/json.ts';
import { onceForObject } from '../../lib/once.ts';
import { own, setOwn } from '../../lib/own.ts';
import type {
  Exposure,
  ExposurePhase,
  Facts,
  ForeignScale,
  Ledger,
  LedgerRecord,
  PinnedImage,
  Placement,
  PoolFacts,
  RevisionData,
  Topology,
} from './recorded-data.ts';

/** The parsed value of an annotation; undefined if it is not valid JSON. */
function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return jsonFault(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** The parsed text; undefined if it is absent, no JSON, or of another shape. */
export function readJson<Schema extends z.ZodType>(
  schema: Schema,
  text: string | undefined,
): z.infer<Schema> | undefined {
  return schema.safeParse(parseJson(text)).data;
}

/** The entries of an object that can be read. */
function readEntries<Value>(value: unknown, readOne: (entry: unknown) => Value | undefined): Record<string, Value> {
  const entries = isObject(value) ? Object.entries(value) : [];
  return Object.fromEntries(
    entries.flatMap(([key, entry]) => {
      const one = readOne(entry);
      return one === undefined ? [] : [[key, one] as const];
    }),
  );
}

const count = z.int().min(1);
const size = z.int().min(0).max(1_000_000);
export const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)));

const pinnedImage = z.looseObject({
  image: z.string().min(1),
  digest: z.string().min(1),
  platforms: z.record(z.string(), z.string()).optional(),
});

const revisionData = z.looseObject({
  renderer: count,
  input: z.looseObject({
    version: z.string().min(1),
    template: podTemplate,
    pools: z.record(z.string(), poolTemplateSchema),
    ports: z.array(z.looseObject({ port: z.int(), protocol: z.string() })),
    barrier: z.boolean(),
  }),
  images: z.record(z.string(), pinnedImage),
  placements: z.record(z.string(), z.string()),
  stored: z.record(z.string(), z.string()).optional(),
});

/**
 * The recorded data without nulls; undefined if it has another shape. Unknown fields and missing defaults stay as recorded.
 */
export function readRevisionData(data: unknown): RevisionData | undefined {
  return isObject(data) ? parsedData(data) : undefined;
}

const parsedData = onceForObject(parseRevisionData);

function parseRevisionData(data: object): RevisionData | undefined {
  if (jsonFault(data)) return undefined;
  const clean = withoutNulls(data);
  return revisionData.safeParse(clean).success ? (clean as RevisionData) : undefined;
}

/** One schema per field, so that a field that cannot be read does not affect the others. */
const POOL_FACTS: { [Field in keyof Required<PoolFacts>]: z.ZodType<Required<PoolFacts>[Field]> } = {
  entered: z.object({ at: time, attempt: count, key: z.string() }),
  placed: z.object({ at: time, key: z.string(), done: time.optional() }),
  clock: z.object({ start: time, stopped: time.optional(), mostReady: z.int().optional() }),
  healthySince: time,
  pulling: time,
  gaveBack: time,
  pulled: time,
  good: time,
  follows: z.string(),
  podsOf: z.object({ revision: count, key: z.string() }),
  sized: z.object({ from: size, to: size }),
  failed: z.object({ at: time, attempt: count, reason: z.string(), message: z.string() }),
  rolledBack: z.object({ at: time, by: z.string() }),
};

/** Stands for a bad mark that cannot be read. The revision still needs an approval to enter a stage. */
const UNREADABLE: Required<PoolFacts>['rolledBack'] = { at: new Date(0).toISOString(), by: 'unknown' };

function readPoolFacts(value: unknown): PoolFacts | undefined {
  if (!isObject(value)) return undefined;
  const facts: Record<string, unknown> = {};
  for (const [field, written] of Object.entries(value)) {
    const schema = own<z.ZodType>(POOL_FACTS, field);
    // Unknown fields of a newer operator are kept.
    if (!schema || schema.safeParse(written).success) setOwn(facts, field, written);
    else if (field === 'failed' || field === 'rolledBack') facts.rolledBack ??= UNREADABLE;
  }
  return facts;
}

const approval = z.looseObject({
  at: time,
  promotion: z.string().min(1),
  skipSoak: z.boolean(),
  by: z.string().optional(),
});

const PHASES = ['Settling', 'Stepping', 'Full', 'Switching', 'Returning', 'Over'] as const;

const exposure: z.ZodType<Exposure> = z.object({
  phase: z.enum(PHASES satisfies readonly ExposurePhase[]),
  step: z.int().min(0),
  since: time.optional(),
  sizes: z.record(z.string(), size).optional(),
});

export function readFacts(text: string | undefined): Facts {
  const value = parseJson(text);
  if (!isObject(value)) return { pools: {}, approvals: {} };
  const { attempt, barrier, exposures, ...others } = value;
  return {
    ...others,
    ...(count.safeParse(attempt).success && { attempt: attempt as number }),
    ...(typeof barrier === 'boolean' && { barrier }),
    pools: readEntries(value.pools, readPoolFacts),
    ...(isObject(exposures) && { exposures: readEntries(exposures, (entry) => exposure.safeParse(entry).data) }),
    approvals: readEntries(value.approvals, (entry) => approval.safeParse(entry).data),
  };
}

const topology = appReleaseSpec.omit({ template: true, version: true, paused: true });
const wantedRecord = z.object({ revision: count, newest: count });

/** The pins that can be read. The operator resolves the others again. */
export function readPins(text: string | undefined): Ledger {
  return readEntries(parseJson(text), (images) =>
    isObject(images)
      ? readEntries(images, (pin) => pinnedImage.safeParse(pin).data as PinnedImage | undefined)
      : undefined,
  );
}

/** The recorded topology, with defaults for fields that an older operator did not record. */
export function readTopology(text: string | undefined): Topology | undefined {
  return readJson(topology, text);
}

const loosened = z.array(z.object({ at: time, revision: count, gates: z.array(z.string()) }));

export function readLoosened(text: string | undefined): LedgerRecord['loosened'] {
  return readJson(loosened, text) ?? [];
}

const asked = z.object({ input: z.string(), sizes: z.record(z.string(), size) });

export function readAsked(text: string | undefined): LedgerRecord['asked'] {
  return readJson(asked, text);
}

export function readWanted(text: string | undefined): LedgerRecord['wanted'] {
  return readJson(wantedRecord, text);
}

const foreignScale = z.object({ by: z.string().min(1).max(256), replicas: size });

/** The size that a Deployment took over from the Deployment that served before. */
export function readScale(text: string | undefined): ForeignScale | undefined {
  return readJson(foreignScale, text);
}

const identity = z.object({
  placement: z.object({
    nodeSelector: z.record(z.string(), z.string()),
    tolerations: z.array(
      z.looseObject({
        key: z.string().optional(),
        operator: z.string().optional(),
        value: z.string().optional(),
        effect: z.string().optional(),
      }),
    ),
  }),
  strategy: z.enum(['BlueGreen', 'RollingUpdate']),
  key: z.string(),
});

export interface RecordedIdentity {
  placement: Placement;
  strategy: Topology['strategy']['type'];
  key: string;
}

/** Bounded by the characters of the texts, because others can write them too. */
const readIdentities = new LRUCache<string, { identity: RecordedIdentity | undefined }>({
  maxSize: 1024 * 1024,
  sizeCalculation: (_read, text) => text.length + 1,
});

/** Placement, strategy and key that a Deployment was created with. Each text is read once, because every pass asks. */
export function readIdentity(text: string | undefined): RecordedIdentity | undefined {
  if (text === undefined) return undefined;
  const found = readIdentities.get(text) ?? { identity: readJson(identity, text) as RecordedIdentity | undefined };
  readIdentities.set(text, found);
  return found.identity;
}
