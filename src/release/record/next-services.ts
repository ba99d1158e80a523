/** Which pools have a second Service. Pure. */
import type { Stage } from '../../api/app-release.ts';
import type { Topology } from './recorded-data.ts';

/** Whether the pools of a stage have a second Service. */
export function hasNext({ route, service, strategy }: Topology, { match, exposure }: Stage): boolean {
  return (
    route !== undefined &&
    service !== undefined &&
    strategy.type === 'BlueGreen' &&
    (match !== undefined || exposure !== undefined)
  );
}

/** Whether a new revision gets the traffic of a stage step by step. */
export function hasExposure(topology: Topology, stage: Stage): boolean {
  return stage.exposure !== undefined && hasNext(topology, stage);
}
