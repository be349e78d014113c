import { stat } from 'node:fs/promises';
import { AppError, buildAccount, vmAccounts, type Account } from '#libs/platform';

const kvmDevice = '/dev/kvm';
let found:
  | Promise<
      { build: Account; vms: { gid: number; firstId: number; count: number }; kvmGroup: number | undefined } | undefined
    >
  | undefined;

/**
 * The account of a uid index, which is one VM's alone, else that of builds; undefined where the factory is not root: all guests then run under its own
 * account, kept apart by their namespaces only. Found once: guests start in a fraction of a second, and each look-up is a program.
 * @throws AppError `account_missing`
 */
export async function guestAccount(uidIndex?: number): Promise<Account | undefined> {
  found ??= findAccounts();
  found.catch(() => (found = undefined));
  const accounts = await found;
  if (!accounts) return undefined;
  const { build, vms, kvmGroup } = accounts;
  const groups = [vms.gid, ...(kvmGroup === undefined ? [] : [kvmGroup])];
  if (uidIndex === undefined) return { ...build, groups };
  if (!Number.isSafeInteger(uidIndex) || uidIndex < 0 || uidIndex >= vms.count)
    throw new AppError({
      kind: 'internal',
      reason: 'guest_spec_invalid',
      message: `A uidIndex is a number below ${vms.count}.`,
    });
  return { uid: vms.firstId + uidIndex, gid: vms.firstId + uidIndex, groups };
}

/** The group that clones share the memory of a snapshot by. */
export async function sharedGroup(): Promise<number | undefined> {
  return (await guestAccount())?.groups?.[0];
}

async function findAccounts() {
  const build = await buildAccount();
  const vms = await vmAccounts();
  if (!build || !vms) return undefined;
  return { build, vms, kvmGroup: await findKvmGroup() };
}

/** Where only the group of /dev/kvm may open it, as udev has it on Debian, guests need that group. */
async function findKvmGroup(): Promise<number | undefined> {
  const device = await stat(kvmDevice).catch(() => undefined);
  return device !== undefined && device.gid !== 0 && (device.mode & 0o066) === 0o060 ? device.gid : undefined;
}
