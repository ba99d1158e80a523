// The API of the test cluster for tests, the demo and the benchmarks.

/** Absolute paths of the executables of the test cluster. */
export interface Binaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubeControllerManager: string;
  readonly kubeScheduler: string;
  readonly kubectl: string;
  readonly kwok: string;
  readonly registry: string;
}

/** The processes of a control plane. */
export type Component = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok';

/** Options of startControlPlane; all have defaults. */
export interface ControlPlaneOptions {
  /** Folder for data, certificates, kubeconfigs and logs. Default: a temporary one, removed by stop(). */
  readonly dir?: string;
  /**
   * Further flags per component, placed last, so that they win: `{'kube-controller-manager': ['--kube-api-qps=500']}`. The
   * controller manager's default here is 200 requests/s, ten times the usual one.
   */
  readonly flags?: Readonly<Partial<Record<Component, readonly string[]>>>;
  /** Let the processes outlive the one that started them (for `make cluster`). Default: false. */
  readonly detached?: boolean;
}

/** A running control plane: a real etcd, API server, controller manager and scheduler, with KWOK in place of kubelets. */
export interface ControlPlane {
  /** Folder with everything of this control plane; `<component>.log` holds the components' output. */
  readonly dir: string;
  /** Kubeconfig of a member of system:masters. */
  readonly kubeconfigPath: string;
  /** The API server, https://127.0.0.1:PORT; the same after a restart. */
  readonly url: string;
  /** PEM file with the API server's certificate authority. */
  readonly caFile: string;
  /** Bearer token of a member of system:masters. */
  readonly adminToken: string;
  readonly binaries: Binaries;
  /** The process id of each running component. */
  pids(): Readonly<Partial<Record<Component, number>>>;
  /**
   * Runs kubectl as admin and returns its standard output; `input` becomes its standard input.
   * @throws Error with kubectl's standard error when it fails
   */
  kubectl(args: readonly string[], options?: { readonly input?: string }): Promise<string>;
  /** Ends every process and removes the folder, unless `dir` was given. May be called twice. */
  stop(): Promise<void>;
  /** Ends the API server with SIGKILL and waits until it is gone. */
  killApiServer(): Promise<void>;
  /** Starts the API server after killApiServer, on the same port, and waits until it is ready. */
  startApiServer(): Promise<void>;
  /** killApiServer and startApiServer. */
  restartApiServer(): Promise<void>;
}

/** The data to use one cluster from another process. */
export type ClusterDetails = Pick<
  ControlPlane,
  'dir' | 'kubeconfigPath' | 'url' | 'caFile' | 'adminToken' | 'binaries'
>;

/** A cluster that can be used but not stopped. */
export type ClusterAccess = ClusterDetails & Pick<ControlPlane, 'kubectl'>;

/** A Kubernetes taint. */
export interface SimulatedTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

/** Equal simulated VM nodes. */
export interface NodeGroup {
  /** The nodes are named `<name>-0`, `<name>-1`, … */
  readonly name: string;
  readonly count: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly SimulatedTaint[];
  /** Default: 4 CPUs, 16Gi of memory, 110 pods. */
  readonly capacity?: Readonly<Record<string, string>>;
  /** Overrides parts of the default nodeInfo. */
  readonly nodeInfo?: Readonly<Partial<SimulatedNodeInfo>>;
}

/** The part of node.status.nodeInfo with the versions of a VM. */
export interface SimulatedNodeInfo {
  readonly osImage: string;
  readonly kernelVersion: string;
  readonly kubeletVersion: string;
  readonly containerRuntimeVersion: string;
}

/**
 * How a simulated pod behaves; the first one contained in the image string of its first container (`…/web-crash-loop:1.0`,
 * `…/web:1.0-crash-loop`), or the value of its annotation `sim.apprelease.dev/behaviour`, which can change while it runs.
 * `ready` is the default. The other annotations: `sim.apprelease.dev/start-delay` and
 * `sim.apprelease.dev/termination-delay`, Go durations (`5s`).
 */
export type Behaviour =
  /** Runs and turns Ready. */
  | 'ready'
  /** Runs, not Ready. */
  | 'unready'
  /** Runs, never Ready: the same as unready, for image names. */
  | 'never-ready'
  /** Waits in CrashLoopBackOff; restartCount grows to 5. */
  | 'crash-loop'
  /** ErrImagePull, then ImagePullBackOff, "… not found". */
  | 'missing'
  /** ErrImagePull, then ImagePullBackOff, "… 503 Service Unavailable". */
  | 'registry-down'
  /** Runs, Ready 5 s later. */
  | 'slow-start'
  /** Ready, but imageID shows another digest than the image names. */
  | 'wrong-digest';

/** Options of startRegistry; all have defaults. */
export interface RegistryOptions {
  /** Default: none. */
  readonly auth?: RegistryAuth;
  /** The address it listens on. Default: 127.0.0.1. */
  readonly address?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Serve https with these PEM files, such as `certs/apiserver.{crt,key}` of a control plane's folder. Default: http. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Where images are kept. Default: a temporary folder, removed by stop(). */
  readonly dir?: string;
  /** Let the registry outlive the process that started it. Default: false. */
  readonly detached?: boolean;
}

/** How clients prove who they are to the registry. */
export type RegistryAuth =
  | 'none'
  | { readonly htpasswd: { readonly user: string; readonly password: string } }
  /** Bearer tokens from a TokenServer. */
  | { readonly token: TokenServer };

/** A running OCI registry. */
export interface Registry {
  /** ADDRESS:PORT, as it stands in image references; the same after a restart. */
  readonly host: string;
  /** http://HOST or https://HOST */
  readonly url: string;
  readonly auth: RegistryAuth;
  /** PEM file to trust for https. */
  readonly caFile?: string;
  /** The process id; undefined while stopped by kill(). */
  pid(): number | undefined;
  /** Ends the process, keeping the images: the registry is down until restart(). */
  kill(): Promise<void>;
  /** Starts the process again on the same port, with the same images. */
  restart(): Promise<void>;
  /** Ends the process and removes the images, unless `dir` was given. May be called twice. */
  stop(): Promise<void>;
}

/** A server of registry bearer tokens (https://distribution.github.io/distribution/spec/auth/token/). */
export interface TokenServer {
  /** Where clients fetch tokens: the challenge's realm. */
  readonly realm: string;
  /** The challenge's service, and the tokens' audience. */
  readonly service: string;
  readonly issuer: string;
  /** JSON Web Key Set file with the public key. */
  readonly jwksFile: string;
  /** The user that gets tokens, by basic authentication; others get 401. */
  readonly user: string;
  readonly password: string;
  /** The number of issued tokens. */
  issued(): number;
  stop(): Promise<void>;
}

/** The content of an image. */
export interface ImageOptions {
  /** `os/architecture` each; two or more make an index. Default: one manifest, no index. */
  readonly platforms?: readonly string[];
  /** Seed of the content: the same seed gives the same digest. Default: repository and tag. */
  readonly content?: string;
  /** A static executable for the containers. Default: none, so the image cannot run. */
  readonly executable?: Buffer;
  /** Environment of the containers, NAME=VALUE each. */
  readonly env?: readonly string[];
}

/** A pushed image. */
export interface PushedImage {
  /** `sha256:…` of the manifest or the index that the tag names. */
  readonly digest: string;
  /** `HOST/repository:tag` */
  readonly image: string;
  /** `HOST/repository:tag@sha256:…` */
  readonly pinned: string;
  /** Digest of each platform's manifest, by platform. */
  readonly manifests: Readonly<Record<string, string>>;
}
