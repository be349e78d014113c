/** Other spellings of a field, as JSON paths of keys: where it may come from, where it belongs. From the documents (recipe.md). */
export const fieldAliases: readonly { from: readonly string[]; to: readonly string[] }[] = [
  { from: ['baseImage'], to: ['base_image'] },
  { from: ['base'], to: ['base_image'] },
  { from: ['os', 'base'], to: ['base_image'] },
  { from: ['os', 'base_image'], to: ['base_image'] },
  { from: ['os', 'baseImage'], to: ['base_image'] },
  { from: ['os', 'features'], to: ['features'] },
  { from: ['os', 'packages'], to: ['packages'] },
  { from: ['startupScripts'], to: ['startup_scripts'] },
  { from: ['customPackages'], to: ['custom_packages'] },
  { from: ['extraRepos'], to: ['extra_repos'] },
  { from: ['packageOverrides'], to: ['package_overrides'] },
  { from: ['hardeningLevel'], to: ['security', 'hardening_level'] },
  { from: ['hardening_level'], to: ['security', 'hardening_level'] },
  { from: ['security_level'], to: ['security', 'hardening_level'] },
  { from: ['securityLevel'], to: ['security', 'hardening_level'] },
  { from: ['security', 'hardeningLevel'], to: ['security', 'hardening_level'] },
  { from: ['security', 'security_level'], to: ['security', 'hardening_level'] },
  { from: ['auditLogging'], to: ['security', 'audit_logging'] },
  { from: ['security', 'auditLogging'], to: ['security', 'audit_logging'] },
  { from: ['automaticUpdates'], to: ['security', 'automatic_updates'] },
  { from: ['security', 'automaticUpdates'], to: ['security', 'automatic_updates'] },
  { from: ['security', 'secureBoot'], to: ['security', 'secure_boot'] },
  { from: ['security', 'disableRoot'], to: ['security', 'disable_root'] },
  { from: ['test_config', 'custom_tests'], to: ['tests'] },
  { from: ['testConfig', 'customTests'], to: ['tests'] },
];

/** Wrappers of aliases that disappear once they are empty. */
export const aliasWrappers = ['os', 'test_config', 'testConfig'] as const;
