import { readFileSync } from 'node:fs';
import { SetupProblem } from './problem.mjs';

const supportedDebian = ['12', '13'];

/** @returns {{ level: 'supported' | 'best-effort' | 'unsupported', name: string, remedy?: string }} how far this distribution is supported */
export function judgeDistribution(osRelease) {
  const fields = Object.fromEntries(
    osRelease
      .split('\n')
      .map((line) => /^([A-Z_]+)=["']?(.*?)["']?$/.exec(line.trim()))
      .filter(Boolean)
      .map(([, key, value]) => [key, value]),
  );
  const name =
    fields.PRETTY_NAME || [fields.ID, fields.VERSION_ID].filter(Boolean).join(' ') || 'an unknown distribution';
  if (fields.ID === 'debian' && supportedDebian.includes(fields.VERSION_ID)) return { level: 'supported', name };
  if (fields.ID === 'ubuntu')
    return { level: 'best-effort', name, remedy: 'OpenFactory is tested on Debian 12 and 13; Ubuntu is best effort.' };
  return {
    level: 'unsupported',
    name,
    remedy: 'Use Debian 12 or 13, for example in a virtual machine or a container.',
  };
}

/** @returns a warning, or undefined where all is well. @throws SetupProblem */
export function checkHost(host = {}) {
  const {
    platform = process.platform,
    arch = process.arch,
    nodeVersion = process.versions.node,
    osReleaseFile = '/etc/os-release',
  } = host;
  if (platform !== 'linux')
    throw new SetupProblem(
      `OpenFactory runs on Linux only, this is ${platform}: use Debian 12 or 13, for example in a virtual machine.`,
    );
  if (arch !== 'x64' && arch !== 'arm64')
    throw new SetupProblem(`OpenFactory runs on x64 and arm64 processors, this is ${arch}: use another machine.`);
  if (Number.parseInt(nodeVersion, 10) < 20)
    throw new SetupProblem(
      `OpenFactory needs Node.js 20 or newer to set itself up, this is ${nodeVersion}: install a newer one (https://nodejs.org).`,
    );
  const { level, name, remedy } = judgeDistribution(readOsRelease(osReleaseFile));
  if (level === 'unsupported')
    throw new SetupProblem(
      `OpenFactory does not support ${name}: use Debian 12 or 13, for example in a virtual machine or a container.`,
    );
  return level === 'best-effort' ? `This is ${name}. ${remedy}` : undefined;
}

function readOsRelease(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
