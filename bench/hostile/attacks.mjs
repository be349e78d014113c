// What strangers send: each attack goes on in a thread of its own for as long as it is watched, `new Worker(this file, { workerData: { url, name, seconds, vm, buildId } })`,
// and says at the end how often it was sent and what was answered.
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { halfSent, oneByteFrames, pingFrames, pings, restlessViewer, unreadDownloads } from './held.mjs';
import { repeat, requests } from './requests.mjs';

const held = { '200 bodies half sent': halfSent, 'pings of one session': pings };
const ofImages = { '60 downloads that nobody reads': unreadDownloads };
const ofConsoles = { 'one-byte frames to a console': oneByteFrames, 'ping frames to a console': pingFrames };
/** Beside the guest that floods its screen. */
export const viewer = 'a restless viewer';

export const attackNames = [...Object.keys(requests), ...Object.keys(held)];
/** Of these the first needs an image, the others a VM. */
export const vmAttackNames = [...Object.keys(ofImages), ...Object.keys(ofConsoles)];

if (!isMainThread && workerData?.url) {
  const { url, name, seconds } = workerData;
  const until = Date.now() + seconds * 1_000;
  const attack = { ...held, ...ofImages, ...ofConsoles, [viewer]: restlessViewer }[name];
  parentPort.postMessage(await (attack ? attack(workerData, until) : repeat(url, requests[name], until)));
}
