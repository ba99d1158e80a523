/** What the operator records: the data of a ControllerRevision, and what its annotations and the ledger's hold. */
import type { AppReleaseSpec, PodTemplate, PoolTemplate, ServicePort, Toleration } from '../../api/app-release.ts';

/** What a revision is the record of, as the user gave it. Two specs want the same revision when this is equal. */
export interface RevisionInput {
  version: string;
  template: PodTemplate;
  /** The pools that differ. */
  pools: Record<string, PoolTemplate>;
  ports: ServicePort[];
  barrier: boolean;
}

export interface PinnedImage {
  /** repo[:tag]@digest: what the pods get. */
  image: string;
  digest: string;
  /** os/arch[/variant] → the digest of that platform's manifest, where the image is an index. */
  platforms?: Record<string, string>;
}

export interface RevisionData {
  renderer: number;
  input: RevisionInput;
  /** By the image string as the user wrote it. */
  images: Record<string, PinnedImage>;
  /** The placement key that each pool had when this was recorded: those Deployments have the plain name. */
  placements: Record<string, string>;
}

export interface PoolFacts {
  /** When the pool was let in; `key` is the placement and strategy it was let in with. */
  entered?: { at: string; attempt: number; key: string };
  /**
   * When what serves was last let go to other VMs, and the key of that placement; `done` once it serves from there. The
   * other facts are those of the revision, wherever it runs.
   */
  placed?: { at: string; key: string; done?: string };
  /** When the deadline's clock started, moved on by the time it stood still; and since when it stands still. */
  clock?: { start: string; stopped?: string };
  /** Since when the pool serves this revision, healthy. */
  healthySince?: string;
  /** When its VMs began to pull the images, and when all of them had them (see prepull). */
  pulling?: string;
  pulled?: string;
  /** When it gave back the room of pods that found none in time: it was let in, and waits again. */
  gaveBack?: string;
  good?: string;
  failed?: { at: string; attempt: number; reason: string; message: string };
  rolledBack?: { at: string; by: string };
}

export interface Approval {
  at: string;
  promotion: string;
  skipSoak: boolean;
  by?: string;
}

export interface Facts {
  pools: Record<string, PoolFacts>;
  /** By stage. */
  approvals: Record<string, Approval>;
  /** Counts up with every rollback of this revision; absent means 1. */
  attempt?: number;
}

export interface Placement {
  nodeSelector: Record<string, string>;
  tolerations: Toleration[];
}

/** Version → image string → pin: what outlives the revisions. */
export type Ledger = Record<string, Record<string, PinnedImage>>;

/** What the ledger object holds besides the pins. */
export interface LedgerRecord {
  ledger: Ledger;
  topology?: Topology;
  /** The wanted revision, while `newest` is the newest: where a revert made an older one wanted. */
  wanted?: { revision: number; newest: number };
}

/** The last valid spec, but for what a revision holds. */
export type Topology = Omit<AppReleaseSpec, 'template' | 'version' | 'paused'>;
