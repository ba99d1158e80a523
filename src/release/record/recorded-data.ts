/** The records of the operator: the data and annotations of a ControllerRevision, and the annotations of the ledger. */
import type { AppReleaseSpec, PodTemplate, PoolTemplate, ServicePort, Toleration } from '../../api/app-release.ts';

/** The part of the spec that a revision records. Two specs want the same revision if this part is equal. */
export interface RevisionInput {
  version: string;
  template: PodTemplate;
  /** Pool → its template. Only pools with a template. */
  pools: Record<string, PoolTemplate>;
  ports: ServicePort[];
  barrier: boolean;
}

export interface PinnedImage {
  /** repo[:tag]@digest, as the pods have it. */
  image: string;
  digest: string;
  /** os/arch[/variant] → the digest of the platform's manifest, if the image is an index. */
  platforms?: Record<string, string>;
}

export interface RevisionData {
  renderer: number;
  input: RevisionInput;
  /** Image string of the template → pin. */
  images: Record<string, PinnedImage>;
  /** Pool → placement key when the revision was recorded. A Deployment with this key has no key in its name. */
  placements: Record<string, string>;
  /** Pool → hash of the pod template as the API server would store it. Absent where it gave no answer. */
  stored?: Record<string, string>;
}

export interface PoolFacts {
  /** When the revision entered the pool; `key` is the key of placement and strategy at that time. */
  entered?: { at: string; attempt: number; key: string };
  /**
   * When the serving revision last started a move to other VMs, and the key of the new placement; `done`: when the move
   * ended. The other facts do not depend on the VMs.
   */
  placed?: { at: string; key: string; done?: string };
  /**
   * When the clock of the deadline started, plus the time that it was stopped; `stopped`: since when it is stopped.
   * `mostReady`: the largest number of ready pods in a rolling update so far. A larger number starts the clock again.
   */
  clock?: { start: string; stopped?: string; mostReady?: number };
  /** Since when the pool serves this revision and is healthy. */
  healthySince?: string;
  /** When the VMs of the pool began to pull the images, and when all VMs had them (see prepull). */
  pulling?: string;
  pulled?: string;
  /** When the revision left the pool because its pods found no room before the deadline. It waits at the gate again. */
  gaveBack?: string;
  good?: string;
  /**
   * The pool that this pool took the place of. The revision was released there: its template for that pool counts, and so does
   * `good` until the pool enters a revision itself.
   */
  follows?: string;
  /**
   * The revision whose pods the pool kept when this one entered, because they are equal, and the recorded placement key of
   * that revision, which decides names.
   */
  podsOf?: { revision: number; key: string };
  /** The size of the pool before the edit that made this revision the wanted one, and the size in that edit. */
  sized?: { from: number; to: number };
  failed?: { at: string; attempt: number; reason: string; message: string };
  rolledBack?: { at: string; by: string };
}

export interface Approval {
  at: string;
  promotion: string;
  skipSoak: boolean;
  by?: string;
}

/**
 * - `Settling`: `<service>-next` leads to the revision and has no weight yet.
 * - `Stepping`: it has the weight of the step.
 * - `Full`: it has all of the weight of the pools.
 * - `Switching`: the pools' Services, without weight now, are switched to the revision.
 * - `Returning`: the weight is back at the pools' Services.
 * - `Over`: the sizes of autoscaled pools are kept for a while.
 */
export type ExposurePhase = 'Settling' | 'Stepping' | 'Full' | 'Switching' | 'Returning' | 'Over';

/** How far the exposure of a revision has come in a stage. */
export interface Exposure {
  phase: ExposurePhase;
  /** The index of the step: the current one, or the next one while it settles. */
  step: number;
  /** Since when the phase can run out (RFC 3339); absent while something is in its way. */
  since?: string;
  /** Autoscaled pool → its size when the exposure began, which both revisions keep. */
  sizes?: Record<string, number>;
}

export interface Facts {
  pools: Record<string, PoolFacts>;
  /** Stage → approval; stage/step → approval of a step, from 1. */
  approvals: Record<string, Approval>;
  /** Stage → exposure, while it lasts. */
  exposures?: Record<string, Exposure>;
  /** Incremented with every rollback of this revision; absent means 1. */
  attempt?: number;
  /** What spec.rollback.barrier was changed to while this revision was wanted; absent: as recorded. */
  barrier?: boolean;
}

export interface Placement {
  nodeSelector: Record<string, string>;
  tolerations: Toleration[];
}

/** The size of a Deployment that another manager set. */
export interface ForeignScale {
  /** The name of the manager, as in managedFields. */
  by: string;
  replicas: number;
}

/** Version → image string → pin. The ledger keeps pins of deleted revisions. */
export type Ledger = Record<string, Record<string, PinnedImage>>;

/** A change of the spec that loosened gates: when the operator saw it, the wanted revision then, and the gates. */
export interface Loosened {
  at: string;
  revision: number;
  gates: string[];
}

/** The content of the ledger object. */
export interface LedgerRecord {
  ledger: Ledger;
  topology?: Topology;
  /** The newest ones, the oldest first. */
  loosened: Loosened[];
  /** The sizes that came with an input that was not recorded then: the hash of the input, and pool → size. */
  asked?: { input: string; sizes: Record<string, number> };
  /** The wanted revision while `newest` is the newest revision. A revert makes an older revision the wanted one. */
  wanted?: { revision: number; newest: number };
}

/** The last valid spec, without the fields that a revision records. */
export type Topology = Omit<AppReleaseSpec, 'template' | 'version' | 'paused'>;
