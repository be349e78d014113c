import { AppError, errorMessage, isLate } from '#libs/platform';
import { BootProblem, type BootReport } from './boot-report.js';
import type { BootCheck, Timeouts } from './boot-order.js';
import { usualPatience } from './guest-patience.js';
import type { Hypervisor } from './hypervisor.port.js';
import { lastLines, plainSerial } from './serial-watch.js';
import { SystemCheck } from './system-check.js';

const usualTimeouts: Timeouts = { watchMs: 500, retryMs: 2_000, graceMs: 30_000, patience: usualPatience };
const tailLines = 60;

/**
 * Boots an image by its own boot loader and asks its agent how the system is; where there is none its helper, and where there is no helper either
 * waits for the login prompt. A system that does not come up is a report with problems, not an
 * error. Leaves no guest behind, however it ends.
 * @throws AppError `hypervisor_unavailable` where no guest could be started, or its virtual machine broke; the signal's reason
 */
export async function checkBoot(
  hypervisor: Hypervisor,
  check: BootCheck,
  signal: AbortSignal,
  onProgress: (fraction: number) => void = () => undefined,
  timeouts: Timeouts = usualTimeouts,
): Promise<BootReport> {
  const { isoPath, firmware, memoryMb, vcpus, workDir, kept } = check;
  const acceleration = await hypervisor.acceleration();
  const report: BootReport = {
    passed: false,
    isLate: false,
    problems: [],
    seconds: 0,
    acceleration,
    checkedBy: check.guestChannels.agent ? 'agent' : check.guestChannels.helper ? 'helper' : 'login prompt',
    services: [],
    failedUnits: [],
    serialTail: '',
  };
  const began = performance.now();
  const guest = await hypervisor.start(
    { isoPath, firmware, memoryMb, vcpus, network: 'none', workDir, ...kept?.spec },
    signal,
  );
  let problems: BootProblem[] = [];
  try {
    problems = await new SystemCheck({ guest, check, report, stop: signal, timeouts, onProgress }).run();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError && error.reason === 'hypervisor_unavailable') throw error;
    problems = [asProblem(error)];
  } finally {
    if (!signal.aborted) report.screenshot = await guest.screenshot().catch(() => undefined);
    report.serialTail = lastLines(plainSerial(guest.serialText()), tailLines).join('\n');
    report.serialLogPath = guest.serialLogPath;
    if (report.helperVersion !== undefined && problems.length === 0 && !signal.aborted) await kept?.keep(guest);
    await guest.quit();
  }
  signal.throwIfAborted();
  report.seconds = (performance.now() - began) / 1000;
  report.problems = problems.map(({ message }) => message);
  report.passed = problems.length === 0;
  report.isLate = problems.some((problem) => problem.isLate);
  onProgress(1);
  return report;
}

function asProblem(error: unknown): BootProblem {
  if (error instanceof BootProblem) return error;
  if (error instanceof AppError) return new BootProblem(error.message, isLate(error));
  return new BootProblem(`The check itself failed: ${errorMessage(error)}`);
}
