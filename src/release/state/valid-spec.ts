/** Parses and validates the spec before any rule uses it. Pure. */
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { appReleaseSpec, INVALID_TAG, NO_TAG } from '../../api/app-release.ts';
import type { Reason } from '../../api/reasons.ts';
import { keptBy, onceForObject } from '../../lib/once.ts';
import { jsonFault, withoutNulls } from '../../lib/json.ts';
import { internalProblem, reading } from '../record/internal-error.ts';
import type { Observed } from './observed.ts';
import { placePools } from './placement.ts';
import { hasTag, wantedVersion } from '../record/revision.ts';
import { validateSpec } from './validation.ts';

export interface SpecProblem {
  reason: Reason;
  message: string;
  /** The exception, if the reason is InternalError. */
  cause?: unknown;
}

export interface ValidSpec {
  spec: AppReleaseSpec;
  version: string;
}

type Known = Pick<Observed, 'vmPools' | 'vms'>;
type Read = ValidSpec | { problem: SpecProblem };

const kept = keptBy<Read>();

/** The spec with its defaults and the VMs of its pools, or its first problem. Read once for the same spec and VMs. */
export function readSpec({ release, vmPools, vms }: Known & Pick<Observed, 'release'>): Read {
  return kept([release.spec, vmPools, vms], '', () => placeSpec(release, { vmPools, vms }));
}

function placeSpec(release: Observed['release'], known: Known): Read {
  try {
    const parsed = parseSpec(release.spec);
    if ('problem' in parsed) return parsed;
    const spec = reading('spec.stages', () => placePools(parsed.spec, known));
    const problem = validateSpec(spec, release.metadata.name);
    if (problem) return { problem };
    const version = wantedVersion(spec);
    if (version !== undefined) return { spec, version };
    const image = spec.template.spec.containers[0]?.image ?? '';
    const message = hasTag(image) ? `spec.template: ${INVALID_TAG}` : NO_TAG;
    return { problem: { reason: 'InvalidSpec', message } };
  } catch (error) {
    return { problem: internalProblem(error) };
  }
}

type Parsed = { spec: AppReleaseSpec } | { problem: SpecProblem };

function parse(spec: AppReleaseSpec): Parsed {
  const fault = jsonFault(spec);
  if (fault) return invalid(fault);
  const parsed = appReleaseSpec.safeParse(withoutNulls(spec));
  return parsed.success ? { spec: parsed.data } : invalid(parsed.error.issues[0]);
}

const parseSpec = onceForObject(parse);

function invalid(fault: { path: readonly PropertyKey[]; message: string } | undefined): Parsed {
  const message = `${fieldPath(fault?.path ?? [])}: ${fault?.message ?? 'is not valid'}`;
  return { problem: { reason: 'InvalidSpec', message } };
}

const SHOWN_PARTS = 12;

/** The path in the notation of the API server: spec.service.ports[0].targetPort. */
function fieldPath(path: readonly PropertyKey[]): string {
  const parts = path
    .slice(0, SHOWN_PARTS)
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part).slice(0, 63)}`));
  return `spec${parts.join('')}${path.length > SHOWN_PARTS ? '…' : ''}`;
}
