import type { ImagePlan } from './image-plan.js';

const unit = 'of-snakeoil-certificate.service';

/**
 * ssl-cert makes a key while it is installed, which is cleaned out of the image since it would be everybody's (clean-tree.ts); PostgreSQL, xrdp and
 * postfix do not start without one. Before every ordinary service, for any of them may read it.
 */
export function renderSnakeoil(plan: ImagePlan): void {
  plan.file({
    path: `/etc/systemd/system/${unit}`,
    content: ['[Unit]', 'Description=Make the self-signed certificate of this machine', 'ConditionPathExists=/usr/sbin/make-ssl-cert', 'ConditionPathExists=!/etc/ssl/private/ssl-cert-snakeoil.key', 'DefaultDependencies=no', 'After=local-fs.target systemd-tmpfiles-setup.service', 'Before=basic.target', '', '[Service]', 'Type=oneshot', 'RemainAfterExit=yes', 'Environment=DEBIAN_FRONTEND=noninteractive', 'ExecStart=/usr/sbin/make-ssl-cert generate-default-snakeoil --force-overwrite', '', '[Install]', 'WantedBy=basic.target', ''].join('\n'),
  });
  plan.enable(unit);
}
