import { usualUpTimeouts, type UpTimeouts } from '#libs/hypervisor';

/** How long things are waited for; tests shorten them. */
export class VmTimeouts {
  /** How long a call waits for what it asked for, before it answers with how far that is. */
  answerMs = 3_000;
  /** After the power button was pressed, until the VM counts as one that does not obey. */
  powerOffMs = 60_000;
  /** The same for all VMs when the factory stops. */
  shutdownMs = 20_000;
  /** For what makes a clone a machine of its own (host time); its startup scripts it gives 20 s by itself. */
  dutiesMs = 90_000;
  up: UpTimeouts = usualUpTimeouts;
  /** Between two signs of life of this host. */
  beatMs = 10_000;
  /** Between two looks for VMs that nobody uses, and for snapshots of builds that are gone. */
  tidyMs = 60_000;
}
