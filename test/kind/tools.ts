// The components of a kind cluster without pulled images, and its tools, each built from a Go module.
import { join } from 'node:path';
import { controlPlane } from '../cluster/build.ts';
import { ensureTool, type GoTool } from '../cluster/go-tool.ts';

const here = import.meta.dirname;
const kubernetesVersion = controlPlane.versionVariables;

export const kind = tool('kind', 'kind', 'sigs.k8s.io/kind');
export const kubelet: GoTool = {
  ...tool('kubelet', 'kubelet, kubeadm and kube-proxy (about 4 minutes the first time)', 'k8s.io/kubernetes'),
  versionVariables: kubernetesVersion,
  links: ['kubeadm', 'kube-proxy'],
};
const coredns = tool('coredns', 'CoreDNS (about 2 minutes the first time)', 'github.com/coredns/coredns');
const containerd = {
  ...tool('containerd', 'containerd', 'github.com/containerd/containerd/v2'),
  versionVariables: ['github.com/containerd/containerd/v2/version.Version'],
};
const cni = tool('cni', 'the network plugins', 'github.com/containernetworking/plugins');
export const helm = {
  ...tool('helm', 'Helm (about 1 minute the first time)', 'helm.sh/helm/v3'),
  versionVariables: ['helm.sh/helm/v3/internal/version.version'],
};
/** Argo CD, which runs beside the cluster. */
export const argocd: GoTool = {
  ...tool('argocd', 'Argo CD (about 5 minutes the first time)', 'github.com/argoproj/argo-cd/v3'),
  links: ['argocd-application-controller', 'argocd-repo-server', 'argocd-server'],
};

/** A gateway that implements the Gateway API. */
export const traefik: GoTool = tool(
  'traefik',
  'Traefik (about 5 minutes the first time)',
  'github.com/traefik/traefik/v3',
);

function tool(name: string, description: string, module: string): GoTool {
  return { source: join(here, name), description, module, versionVariables: [], links: [] };
}

/** Folders with the executables of a node, under their usual names. */
export interface NodeBinaries {
  readonly controlPlane: string;
  readonly kubelet: string;
  readonly containerd: string;
  readonly cni: string;
  readonly coredns: string;
  readonly pause: string;
}

/** Builds missing tools one after the other, because each build uses all cores. */
export async function ensureNodeBinaries(): Promise<NodeBinaries> {
  return {
    controlPlane: await ensureTool(controlPlane),
    kubelet: await ensureTool(kubelet),
    containerd: await ensureTool(containerd),
    cni: await ensureTool(cni),
    coredns: await ensureTool(coredns),
    pause: await ensureTool(tool('pause', 'pause', '')),
  };
}

export async function ensureKind(): Promise<string> {
  return join(await ensureTool(kind), 'kind');
}

export async function ensureHelm(): Promise<string> {
  return join(await ensureTool(helm), 'helm');
}

/** The app for the tests: a static executable. */
export async function ensureApp(): Promise<string> {
  return join(await ensureTool(tool('app', 'the example app', '')), 'app');
}
