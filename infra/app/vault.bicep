metadata description = 'The vault of the tenants\' credentials. Roles decide who may read it, and nothing in it can be destroyed before its time.'

@description('Name of the vault, unique in all of Azure. It stays taken for 90 days after the vault was deleted.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('Tags of the vault.')
param tags object

@description('"recover" brings back a deleted vault of this name with all its secrets.')
@allowed(['default', 'recover'])
param createMode string

@description('True lets the vault be reached from private endpoints only.')
param privateNetwork bool

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    createMode: createMode
    enablePurgeProtection: true
    enableRbacAuthorization: true
    enableSoftDelete: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    sku: { family: 'A', name: 'standard' }
    softDeleteRetentionInDays: 90
    tenantId: tenant().tenantId
    networkAcls: {
      bypass: 'None'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }
}

@description('Resource id of the vault.')
output id string = vault.id

@description('Name of the vault.')
output name string = vault.name

@description('Address of the vault: DRIFT_KEY_VAULT_URL.')
output uri string = vault.properties.vaultUri
