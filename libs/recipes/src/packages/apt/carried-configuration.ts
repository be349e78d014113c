import { askProgram, type Account } from '#libs/platform';

/** The host's own settings that say how its mirrors are reached; nothing else of its configuration, and no hook, is taken over. */
const carriedOver =
  /^Acquire::((https?|ftp)(::|$)|Check-Valid-Until$|Check-Date$|Max-ValidTime|Min-ValidTime|Retries$|ForceIPv[46]$)/;

/** Lines of apt.conf(5). They may hold a proxy's credentials. */
export async function carriedConfiguration(account: Account | undefined): Promise<string[]> {
  const { stdout } = await askProgram('apt-config', ['dump', '--format', '%F "%v";%n', 'Acquire'], {
    deadlineMs: 10_000,
    ...(account && { account }),
  });
  const carried = stdout
    .split('\n')
    .filter((line) => carriedOver.test(line.split(' ')[0] ?? '') && /^[A-Za-z0-9:.-]+ "[^"]+";$/.test(line));
  return [
    ...carried,
    'Acquire::Languages "none";',
    // Kept as plain text, because versions are read from the files.
    'Acquire::GzipIndexes "false";',
    'Acquire::AllowInsecureRepositories "false";',
    'Acquire::AllowDowngradeToInsecureRepositories "false";',
    'APT::Get::AllowUnauthenticated "false";',
  ];
}
