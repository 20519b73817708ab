metadata description = 'The two identities: the one the app works as, and the one that signs people in. They are apart because the second needs no right in Azure at all.'

@description('Name of the identity the app works as.')
param name string

@description('Name of the identity that proves the app registration to Entra ID at sign-in, instead of a secret.')
param signInName string

@description('Azure region.')
param location string

@description('Tags of both identities.')
param tags object

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

resource signIn 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: signInName
  location: location
  tags: tags
}

@description('Resource id of the app identity.')
output appId string = app.id

@description('Client id of the app identity: AZURE_CLIENT_ID.')
output appClientId string = app.properties.clientId

@description('Object id of the app identity: what roles are assigned to, and the subject of its federated credential.')
output appPrincipalId string = app.properties.principalId

@description('Resource id of the sign-in identity.')
output signInId string = signIn.id

@description('Client id of the sign-in identity: OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID.')
output signInClientId string = signIn.properties.clientId

@description('Object id of the sign-in identity: the subject of its federated credential.')
output signInPrincipalId string = signIn.properties.principalId
