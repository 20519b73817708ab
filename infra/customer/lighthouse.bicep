metadata description = 'For customers: delegates one subscription to the identity of a deployment (Azure Lighthouse). Deployed by an owner of the subscription, and removed by deleting the delegation.'

targetScope = 'subscription'

@description('Directory of the deployment.')
@minLength(36)
@maxLength(36)
param operatorDirectoryId string

@description('Object id of the deployment\'s identity.')
@minLength(36)
@maxLength(36)
param identityPrincipalId string

@description('What the portal calls the delegation.')
param offerName string = 'Azure Drift Detector'

var reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
// Lets the other side end the delegation too.
var mayLeave = '91c1777a-f3dc-4fae-b103-61d183457e46'
var definitionName = guid(subscription().id, operatorDirectoryId, identityPrincipalId)

resource definition 'Microsoft.ManagedServices/registrationDefinitions@2022-10-01' = {
  name: definitionName
  properties: {
    registrationDefinitionName: offerName
    description: 'Reads the configuration of resources and reports drift. Changes nothing.'
    managedByTenantId: operatorDirectoryId
    authorizations: [
      {
        principalId: identityPrincipalId
        principalIdDisplayName: 'Azure Drift Detector'
        roleDefinitionId: reader
      }
      {
        principalId: identityPrincipalId
        principalIdDisplayName: 'Azure Drift Detector'
        roleDefinitionId: mayLeave
      }
    ]
  }
}

resource assignment 'Microsoft.ManagedServices/registrationAssignments@2022-10-01' = {
  name: definitionName
  properties: { registrationDefinitionId: definition.id }
}

@description('Resource id of the delegation: az managedservices assignment delete takes it back.')
output assignmentId string = assignment.id
