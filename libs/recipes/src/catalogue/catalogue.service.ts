import { Injectable } from '@nestjs/common';
import { schemaOf } from '#libs/platform';
import { PackageIndex } from '../packages/package-index.port.js';
import type { BaseImageSummary, RecipeServiceSummary } from '../recipes.dto.js';
import { isServiceId, serviceConfigs } from '../services/service-configs.js';
import { Catalogue } from './catalogue.js';
import type { RecipeFeatureDto } from './catalogue.dto.js';

/** The catalogues as people look at them. */
@Injectable()
export class CatalogueService {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly index: PackageIndex,
  ) {}

  async baseImages(): Promise<BaseImageSummary[]> {
    return await Promise.all(
      this.catalogue.bases.map(
        async ({
          id,
          aliases,
          title,
          description,
          package_format,
          available,
          unavailable_reason = null,
          nearest = null,
        }) => {
          const { refreshedAt, packageCount } = await this.index.state(id);
          return {
            id,
            aliases,
            title,
            description,
            package_format,
            available,
            unavailable_reason,
            nearest,
            packages_refreshed_at: refreshedAt?.toISOString() ?? null,
            package_count: packageCount,
          };
        },
      ),
    );
  }

  features(): readonly RecipeFeatureDto[] {
    return this.catalogue.features;
  }

  services(): RecipeServiceSummary[] {
    return this.catalogue.services.map(({ id, title, description, feature }) => ({
      id,
      title,
      description,
      feature,
      config_schema: isServiceId(id) ? schemaOf(serviceConfigs[id]) : {},
    }));
  }
}
